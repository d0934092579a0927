"""Which way up an image is: decided here, once, for header, record, renditions and boxes.

It is decided as browsers do, since people read texts and see boxes there. What only other programs
believe does not count: XMP, EXIF behind the pixels of a PNG, EXIF in WebP, an orientation of
another type than one SHORT.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import IO

from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile

from captioning.images.first_frame import frame_size
from captioning.images.formats.lazy import FULL_SIZE, ORIENTATION
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
_SHORT = 3
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_MOST_CHUNKS = 100_000


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation of an opened image that is not loaded yet, 1 to 8; 1 if there is none
    that browsers believe, or the decoder applies it by itself."""
    if ORIENTATION in image.info:
        return int(image.info[ORIENTATION])
    if image.format == "TIFF":
        return _of_tiff(image)
    find = _EXIF.get(image.format or "")
    return _orientation_in(find(image)) if find is not None else 1


def is_undisputed(image: Image.Image) -> bool:
    """Whether a program that applies the orientation, as far as it believes any, and one that does
    not can be told apart by the size that they see; or see the same.

    A half turn or a square hides what was applied, and some programs believe more than browsers.
    """
    orientation, (width, height) = orientation_of(image), frame_size(image)
    shows = orientation == 1 or (orientation in TURNED and width != height)
    return shows and _liberal(image) == orientation


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height as a viewer shows an opened image, by its header: nothing is decoded."""
    if image.format == "TIFF":  # Pillow's size of a TIFF is upright already
        return image.size
    width, height = image.info.get(FULL_SIZE) or frame_size(image)
    return (height, width) if orientation_of(image) in TURNED else (width, height)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The pixels as a viewer shows them."""
    turn = _TURNS.get(orientation)
    return image.transpose(turn) if turn is not None else image


def _of_tiff(image: Image.Image) -> int:
    """By the tag alone, of whatever type. Pillow turns the pixels while it loads them, by XMP too,
    but its size only by the tag: this makes it turn by the tag."""
    value = getattr(image, "tag_v2", {}).get(ExifTags.Base.Orientation, 1)
    orientation = int(value) if value in range(1, 9) else 1
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return orientation


def _liberal(image: Image.Image) -> int:
    """The orientation by whatever Pillow believes, which is more than browsers do."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - Pillow raises what its parsers happen to raise
        return 1
    return value if value in range(1, 9) else 1


def _orientation_in(exif: bytes) -> int:
    """The first valid orientation in the first directory of EXIF data."""
    order = _BYTE_ORDERS.get(exif[:4])
    if order is None:
        return 1
    try:
        [start] = struct.unpack_from(f"{order}I", exif, 4)
        [count] = struct.unpack_from(f"{order}H", exif, start)
    except struct.error:
        return 1
    entries = exif[start + 2 : start + 2 + 12 * count]
    whole = len(entries) // 12 * 12
    for tag, kind, number, value, _ in struct.iter_unpack(f"{order}HHIHH", entries[:whole]):
        if (tag, kind, number) == (ExifTags.Base.Orientation, _SHORT, 1) and value in range(1, 9):
            return int(value)
    return 1


def _of_jpeg(image: Image.Image) -> bytes:
    """Of the first segment that calls itself EXIF. Pillow puts all of them together."""
    segments: list[tuple[str, bytes]] = getattr(image, "applist", [])
    told = (data[6:] for name, data in segments if name == "APP1" and data.startswith(b"Exif\0"))
    return next(told, b"")


def _of_png(image: Image.Image) -> bytes:
    """Of the first whole eXIf chunk before the pixels. Pillow does not tell where it stood."""
    if not isinstance(image, ImageFile) or image.fp is None:
        return b""
    position = image.fp.tell()
    try:
        return _exif_chunk(image.fp)
    except struct.error:
        return b""
    finally:
        image.fp.seek(position)


def _exif_chunk(file: IO[bytes]) -> bytes:
    file.seek(8)
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind in {b"IDAT", b"IEND"}:
            break
        if kind == b"eXIf":
            data, checksum = file.read(length), file.read(4)
            if checksum == struct.pack(">I", zlib.crc32(kind + data)):
                return data
        else:
            file.seek(length + 4, 1)
    return b""


def _of_avif(image: Image.Image) -> bytes:
    """What Pillow makes of irot and imir. The file's own EXIF is hidden from it when it opens."""
    exif: bytes = image.info.get("exif", b"")
    return exif.removeprefix(b"Exif\0\0")


_EXIF: Mapping[str, Callable[[Image.Image], bytes]] = {
    "JPEG": _of_jpeg,
    "PNG": _of_png,
    "AVIF": _of_avif,
}
"""By format: the EXIF data that browsers believe. WebP, GIF, BMP and ICO are never turned; HEIF,
JPEG XL and JPEG 2000 are turned by their decoders."""
