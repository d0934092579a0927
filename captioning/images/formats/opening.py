"""Opens the bytes of an image by the reader that its first bytes ask for."""

from __future__ import annotations

import io

from PIL import Image, JpegImagePlugin

from captioning.images.formats import bmp, jpeg, png, raw, tiff
from captioning.images.formats.heif import avif_words, heif_words, merged_associations
from captioning.images.formats.isobmff import without_exif
from captioning.images.formats.lazy import MENDED
from captioning.images.formats.magic import described, format_of, refused
from captioning.images.formats.tags import directories


def opened(data: bytes) -> Image.Image:
    """The image with its header read and nothing decoded. Raises UnsupportedFormat if it is of a
    kind that is not read, and what Pillow happens to raise if it is broken."""
    name = format_of(data)
    if not name:
        raise refused(described(data))
    if name in _READERS:
        return _READERS[name](data)
    if name in raw.MEDIA_TYPES:
        return raw.opened(data, name, [] if name in {"RAF", "CR3"} else directories(data))
    return _by_pillow(data, name)


def _mended(image: Image.Image) -> Image.Image:
    image.info[MENDED] = True
    return image


def _by_pillow(data: bytes, name: str) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=[name])


def _jpeg(data: bytes) -> Image.Image:
    if words := jpeg.unread(data):
        raise refused(words)
    if jpeg.lacks_its_end(data):
        return _mended(jpeg.UnendedJpeg(data))
    # Not by Image.open: it takes for MPO, with frames, what has further pictures (a gain map, a
    # larger preview, another eye's view) behind the first. Viewers show the first.
    return JpegImagePlugin.JpegImageFile(io.BytesIO(data))


def _png(data: bytes) -> Image.Image:
    tidy = png.tidied(data)
    try:
        image = _by_pillow(tidy, "PNG")
        if tidy[24] > 8 and isinstance(color := image.info.get("transparency"), tuple):
            image.info["transparency"] = tuple(level >> 8 for level in color)  # as its pixels
        return image if tidy is data else _mended(image)
    except Exception:
        still = png.tidied(tidy, without=png.ANIMATION)
        if still is tidy:
            raise
        return _mended(_by_pillow(still, "PNG"))


def _bmp(data: bytes) -> Image.Image:
    try:
        return _by_pillow(data, "BMP")
    except OSError:
        if (image := bmp.with_masks(data)) is not None:
            return image
        if words := bmp.unread(data):
            raise refused(words) from None
        raise


def _tiff(data: bytes) -> Image.Image:
    pages = directories(data)
    if not pages:
        raise OSError("the file has no directory")
    name = raw.format_in(pages)
    return raw.opened(data, name, pages) if name else tiff.opened(data, pages)


def _avif(data: bytes) -> Image.Image:
    if words := avif_words(data):
        raise refused(words)
    data = without_exif(data)
    try:
        return _by_pillow(data, "AVIF")
    except Exception:
        merged = merged_associations(data)
        if merged is None:
            raise
        return _mended(_by_pillow(merged, "AVIF"))


def _heif(data: bytes) -> Image.Image:
    try:
        return _by_pillow(data, "HEIF")
    except Exception:
        if words := heif_words(data):
            raise refused(words) from None
        raise


_READERS = {
    "JPEG": _jpeg,
    "PNG": _png,
    "BMP": _bmp,
    "TIFF": _tiff,
    "AVIF": _avif,
    "HEIF": _heif,
}
