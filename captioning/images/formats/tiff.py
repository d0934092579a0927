"""TIFF: the page that is shown, by Pillow where it reads it rightly, else by `tiff_samples`."""

from __future__ import annotations

import io
import struct

from PIL import Image, UnidentifiedImageError

from captioning.images.formats.lazy import MENDED, ORIENTATION, LazyImage
from captioning.images.formats.magic import refused
from captioning.images.formats.tags import (
    ICC_PROFILE,
    STRIPS,
    TILE_COUNTS,
    TILES,
    Directory,
)
from captioning.images.formats.tiff_samples import UNPACKED, Layout, pixels_of, unread_layout
from captioning.images.orientation import upright

_COMPRESSIONS = {
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG of raw data",
    50002: "JPEG XL",
    52546: "JPEG XL",
    34713: "Nikon",
    22610: "JPEG XR",
    34934: "JPEG XR",
    34661: "JBIG",
    34715: "JBIG2",
    32766: "NeXT",
    32809: "ThunderScan",
}


def main_page(pages: list[Directory]) -> Directory:
    """The first page, unless it is a reduced version of another one: then the largest that is
    not."""
    whole = [page for page in pages if page.area and not page.is_reduced]
    if not pages[0].is_reduced or not whole:
        return pages[0]
    return max(whole, key=lambda page: page.area)


def opened(data: bytes, pages: list[Directory]) -> Image.Image:
    """The opened page. Raises UnsupportedFormat, or what Pillow raises for a broken file."""
    page = main_page(pages)
    layout = Layout.of(page)
    if not _is_misread(data, page, layout):
        try:
            image = Image.open(io.BytesIO(_from(data, page, pages)), formats=["TIFF"])
            if page is not pages[0] or max(layout.bits) > 8:
                image.info[MENDED] = True
            return image
        except (UnidentifiedImageError, KeyError):
            pass
    if _ends_before(data, page):
        raise OSError("the file ends before its pixels")
    words = unread_layout(layout)
    if words or not layout.width or layout.compression not in UNPACKED:
        method = layout.compression
        if method in _COMPRESSIONS or (method not in UNPACKED and not words):
            words = f"a TIFF with compression {_COMPRESSIONS.get(method, method)}"
        raise refused(words or "a TIFF without a size")
    return _lazy(data, page, layout)


def _is_misread(data: bytes, page: Directory, layout: Layout) -> bool:
    """Whether Pillow opens the page, and then gets pixels that other readers do not get."""
    wide = max(layout.bits) > 8
    raw = layout.compression == 1
    return (
        data.startswith(b"MM\0+")  # BigTIFF is known to Pillow in the other byte order only
        or (layout.planar and ((wide and raw) or layout.photometric in {0, 1}))
        or (wide and layout.photometric == 0 and layout.sample_format == 1)
        or (layout.bits[0] == 12)
        or (layout.bits == (32,) and (layout.sample_format == 1 or layout.order == ">"))
        or (layout.sample_format == 2 and (not wide or layout.order == ">"))
        or (raw and layout.photometric == 6)
        or (raw and layout.is_tiled and layout.photometric != 3 and _is_cut(data, page))
    )


def _lazy(data: bytes, page: Directory, layout: Layout) -> LazyImage:
    """The page as an image that is upright once it is loaded, as Pillow's are."""
    turned = page.orientation
    size = (layout.width, layout.height)
    profile = page.tags.get(ICC_PROFILE)
    info: dict[str | tuple[int, int], object] = {ORIENTATION: turned}
    if isinstance(profile, bytes):
        info["icc_profile"] = profile

    def pixels() -> Image.Image:
        return upright(pixels_of(data, page, layout), turned)

    return LazyImage(
        "TIFF", layout.mode, size[::-1] if turned > 4 else size, pixels, info, layout.memory
    )


def _from(data: bytes, page: Directory, pages: list[Directory]) -> bytes:
    """The file with this page as its first."""
    if page is pages[0]:
        return data
    if data[2:4] in {b"\x2b\0", b"\0\x2b"}:
        return data[:8] + struct.pack(page.order + "Q", page.offset) + data[16:]
    return data[:4] + struct.pack(page.order + "I", page.offset) + data[8:]


def _is_cut(data: bytes, page: Directory) -> bool:
    """Whether a tile ends behind the end of the file."""
    ends = zip(page.numbers(TILES), page.numbers(TILE_COUNTS), strict=False)
    return any(offset + count > len(data) for offset, count in ends)


def _ends_before(data: bytes, page: Directory) -> bool:
    """Whether a strip or tile begins behind the end."""
    return any(offset > len(data) for offset in page.numbers(STRIPS) + page.numbers(TILES))
