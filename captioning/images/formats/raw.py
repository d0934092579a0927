"""Cameras' raw files: the preview in them, with the name and the size of the raw picture.

The preview is found by its own first bytes, not by the makers' tags: no pointer is followed, and
all makers are alike.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from itertools import islice

from PIL import Image, JpegImagePlugin

from captioning.images.formats.jpeg import frame_of
from captioning.images.formats.lazy import FULL_SIZE, ORIENTATION, LazyImage
from captioning.images.formats.magic import refused
from captioning.images.formats.tags import (
    COMPRESSION,
    DEFAULT_CROP,
    DNG_VERSION,
    MAKE,
    PHOTOMETRIC,
    SUB_DIRECTORIES,
    Directory,
    directories,
)
from captioning.images.formats.tiff_samples import (
    BLACK_IS_ZERO,
    RGB,
    UNPACKED,
    Layout,
    pixels_of,
    unread_layout,
)
from captioning.images.orientation import orientation_of

MEDIA_TYPES = {
    "DNG": "image/x-adobe-dng",
    "NEF": "image/x-nikon-nef",
    "CR2": "image/x-canon-cr2",
    "CR3": "image/x-canon-cr3",
    "ARW": "image/x-sony-arw",
    "PEF": "image/x-pentax-pef",
    "ORF": "image/x-olympus-orf",
    "RW2": "image/x-panasonic-rw2",
    "RAF": "image/x-fuji-raf",
    "SRW": "image/x-samsung-srw",
    "3FR": "image/x-hasselblad-3fr",
    "IIQ": "image/x-phaseone-iiq",
    "DCR": "image/x-kodak-dcr",
    "ERF": "image/x-epson-erf",
    "MEF": "image/x-mamiya-mef",
    "MOS": "image/x-leaf-mos",
    "RWL": "image/x-leica-rwl",
    "RAW": "image/x-raw",
}
"""By format. The extensions are the names in lower case."""
_MAKERS = {
    "NIKON": "NEF",
    "CANON": "CR2",
    "SONY": "ARW",
    "PENTAX": "PEF",
    "RICOH": "PEF",
    "SAMSUNG": "SRW",
    "HASSELBLAD": "3FR",
    "PHASE ONE": "IIQ",
    "KODAK": "DCR",
    "EASTMAN": "DCR",
    "EPSON": "ERF",
    "SEIKO EPSON": "ERF",
    "MAMIYA": "MEF",
    "LEAF": "MOS",
    "LEICA": "RWL",
    "OLYMPUS": "ORF",
    "PANASONIC": "RW2",
}
_SENSOR = {32803, 34892}
"""Photometric interpretations: a colour filter array, and linear raw."""
_PACKED = {32767, 32770, 34713, 65000, 65535}
"""Compressions that only cameras write."""
_START = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")
_MOST_STARTS = 1_000
_LEAST_SHARE, _LEAST_SIDE = 6, 1_024
"""A preview shows the picture if its long side has a sixth of the picture's, or so many pixels."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """Name, size as stored (0 x 0: unknown), orientation (0: the preview's own) and pages."""

    format: str
    size: tuple[int, int]
    orientation: int
    pages: list[Directory]


def format_in(pages: list[Directory]) -> str:
    """The raw format of a file in the wrapper of TIFF; "" if it is a TIFF."""
    if DNG_VERSION in pages[0].tags:
        return "DNG"
    maker = pages[0].text(MAKE).strip().upper()
    name = next((found for start, found in _MAKERS.items() if maker.startswith(start)), "")
    if any(
        page.number(PHOTOMETRIC) in _SENSOR or page.number(COMPRESSION) in _PACKED for page in pages
    ):
        return name or "RAW"
    return name if pages[0].is_reduced and SUB_DIRECTORIES in pages[0].tags else ""


def opened(data: bytes, name: str, pages: list[Directory]) -> Image.Image:
    """The opened preview, under the name of the raw file. `info["full_size"]` has the size of the
    raw picture. Raises UnsupportedFormat if there is no preview."""
    raw = _described(data, name, pages)
    width, height, at = max(_previews(data), default=(0, 0, 0), key=lambda it: it[0] * it[1])
    page = max(filter(_is_plain, raw.pages), default=None, key=lambda page: page.area)
    size = raw.size if all(raw.size) else (width, height)
    if page is not None and page.area <= width * height:
        page = None
    longest = max(page.size if page is not None else (width, height))
    if not longest or longest < min(_LEAST_SIDE, max(size) / _LEAST_SHARE):
        raise refused(f"a camera's raw file ({name}) without a preview")
    if page is not None:
        layout = Layout.of(page)  # not by Pillow, which would turn the page by its own tag
        image: Image.Image = LazyImage(
            name, layout.mode, page.size, lambda: pixels_of(data, page, layout)
        )
    else:
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(data[at:]))
    image.info[ORIENTATION] = raw.orientation or orientation_of(image)
    image.format = name
    image.info[FULL_SIZE] = size
    return image


def _lazy(data: bytes, name: str, page: Directory) -> LazyImage:
    """A page of colours, not by Pillow, which would turn it by its own tag."""
    layout = Layout.of(page)
    return LazyImage(
        name, layout.mode, page.size, lambda: pixels_of(data, page, layout), memory=layout.memory
    )


def _described(data: bytes, name: str, pages: list[Directory]) -> _Raw:
    if name == "RAF":
        return _Raw(name, _raf_size(data), 0, [])
    if name == "CR3":
        found = data.find(b"CMT1", 0, 1 << 20)
        pages = directories(data[found + 4 : found + 4 + (1 << 16)]) if found >= 0 else []
    if not pages:
        return _Raw(name, (0, 0), 0, [])
    if name == "RW2":
        top, left, bottom, right = (pages[0].number(tag) for tag in (4, 5, 6, 7))
        return _Raw(name, (max(0, right - left), max(0, bottom - top)), pages[0].orientation, [])
    largest = max(pages, key=lambda page: page.area)
    crop = _crop(largest) if name == "DNG" else (0, 0)
    size = crop if all(crop) else largest.size
    return _Raw(name, size, pages[0].orientation, [] if name == "CR3" else pages)


def _previews(data: bytes) -> list[tuple[int, int, int]]:
    """Width, height and place of the JPEGs in the file that Pillow reads. Raw samples in the
    lossless kind of JPEG are none of them."""
    found = []
    for start in islice(_START.finditer(data), _MOST_STARTS):
        frame = frame_of(data, start.start())
        if frame is not None and frame[0] in {0xC0, 0xC1, 0xC2} and frame[1] == 8:
            found.append((frame[2], frame[3], start.start()))
    return found


def _is_plain(page: Directory) -> bool:
    """Whether the page holds colours rather than what a sensor measured, and is no JPEG."""
    layout = Layout.of(page)
    return (
        layout.photometric in {BLACK_IS_ZERO, RGB}
        and layout.compression in UNPACKED
        and not unread_layout(layout)
    )


def _crop(page: Directory) -> tuple[int, int]:
    """DNG's default crop, as whole pixels; 0 x 0 if there is none."""
    found = page.tags.get(DEFAULT_CROP)
    if isinstance(found, tuple) and len(found) == 2:
        return found[0], found[1]
    if isinstance(found, bytes) and len(found) == 16:
        wide, per, high, every = struct.unpack(page.order + "4I", found)
        return (round(wide / per), round(high / every)) if per and every else (0, 0)
    return 0, 0


def _raf_size(data: bytes) -> tuple[int, int]:
    """By the tags of RAF: the cropped size of the raw picture, else the full one."""
    at, end = int.from_bytes(data[92:96], "big"), int.from_bytes(data[96:100], "big")
    found: dict[int, tuple[int, int]] = {}
    at += 4
    for _ in range(256):
        if at + 8 > min(len(data), int.from_bytes(data[92:96], "big") + end):
            break
        tag, length, high, wide = struct.unpack_from(">4H", data, at)
        found.setdefault(tag, (wide, high))
        at += 4 + length
    return found.get(0x111) or found.get(0x100) or (0, 0)
