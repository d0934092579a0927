"""The first frame of an image as browsers compose it: which one, where on the canvas, how cropped.

Pillow begins an APNG with a picture that no browser shows, fills what the first frame of a GIF
leaves free with a colour of its palette, and shows what is cropped away in an AVIF.
"""

from __future__ import annotations

import struct

from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import Blend, PngImageFile

from captioning.images.formats.isobmff import primary_properties
from captioning.images.samples import eight_bits

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""


def first_frame(image: Image.Image) -> Image.Image:
    """The decoded first frame of an opened image, not turned yet. Raises what the decoder does."""
    cropped = _clean_aperture(image)
    if cropped is not None:
        image.load()
        return image.crop((0, 0, *cropped))
    drawn = _drawn(image)
    image.load()
    if drawn == (0, 0, *image.size):
        return image
    canvas = Image.new("RGBA", image.size)
    canvas.paste(eight_bits(image.crop(drawn)).convert("RGBA"), drawn[:2])
    return canvas


def frame_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of the first frame of an opened image, not turned yet, by the header."""
    return _clean_aperture(image) or image.size


def frames_of(image: Image.Image) -> int:
    """How many frames browsers play, up to a broken one: 1 for a still image. The image may be left
    at another frame."""
    hidden = 1 if _has_hidden_image(image) else 0
    try:
        frames: int = getattr(image, "n_frames", 1)
    except Exception:  # noqa: BLE001 - Pillow raises what its parsers happen to raise
        frames = image.tell() + (image.format != "TIFF")  # Pillow has begun the broken page
    return max(1, frames - hidden)


def is_plain(image: Image.Image) -> bool:
    """Whether programs that know only still images see the first frame of an opened image."""
    is_part = isinstance(image, GifImageFile) and _drawn(image) != (0, 0, *image.size)
    return not (is_part or _has_hidden_image(image))


def _has_hidden_image(image: Image.Image) -> bool:
    """Whether this is an APNG with an image before the animation, for programs that know none."""
    return image.format == "PNG" and bool(image.info.get("default_image"))


def _drawn(image: Image.Image) -> Box:
    """The part of the canvas that the first frame covers. Goes to that frame."""
    if isinstance(image, PngImageFile) and _has_hidden_image(image):
        image.seek(1)
        image.blend_op = Blend.OP_SOURCE  # on nothing, not on the hidden image
        left, top, right, bottom = image.info["bbox"]
    elif isinstance(image, GifImageFile) and image.tile and (extents := image.tile[0].extents):
        left, top, right, bottom = extents
    else:
        return (0, 0, *image.size)
    return (left, top, right, bottom)


def _clean_aperture(image: Image.Image) -> tuple[int, int] | None:
    """The size that an AVIF is cropped to; None if it is not.

    As browsers do: a crop that does not begin at the left upper corner, does not lie in the image
    or has no whole size does not count.
    """
    if image.format != "AVIF" or not isinstance(image, ImageFile) or image.fp is None:
        return None
    properties = primary_properties(image.fp)
    clap = next((value for kind, value in properties if kind == b"clap"), b"")
    try:
        values = struct.unpack_from(">iIiIiIiI", clap)
    except struct.error:
        return None
    across = _from_origin(values[0:2], values[4:6], image.width)
    down = _from_origin(values[2:4], values[6:8], image.height)
    return (across, down) if across and down else None


def _from_origin(length: tuple[int, ...], offset: tuple[int, ...], whole: int) -> int:
    """The length of a crop that begins at 0; 0 if it does not, or is none. The offset is that of
    its centre from the centre of the whole."""
    size, rest = divmod(length[0], length[1]) if length[1] else (0, 0)
    begins_at_zero = 2 * offset[0] == (size - whole) * offset[1]
    is_one = offset[1] and not rest and 0 < size <= whole
    return size if is_one and begins_at_zero else 0
