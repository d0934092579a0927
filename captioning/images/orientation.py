"""Which way up an image is: decided here, once, for header, record, renditions and boxes."""

from __future__ import annotations

from PIL import ExifTags, Image

from captioning.images.rendition import TURNED

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation of an opened image that is not loaded yet, 1 to 8; 1 if there is none
    that can be read."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - Pillow raises what its parsers happen to raise
        return 1
    return value if value in range(1, 9) else 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height as a viewer shows an opened image, by its header: nothing is decoded."""
    if image.format == "TIFF":  # Pillow's size of a TIFF is upright already
        return image.size
    size: tuple[int, int] = image.info.get("full_size", image.size)  # a raw file's
    return size[::-1] if orientation_of(image) in TURNED else size


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The pixels as a viewer shows them."""
    turn = _TURNS.get(orientation)
    return image.transpose(turn) if turn is not None else image
