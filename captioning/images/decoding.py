"""Decodes damaged, deep, rotated, transparent and huge images to plain pixels, by Pillow.

One image per core is decoded at a time: decoding needs the CPU, and most of the memory.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pillow_heif
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from captioning.errors import CorruptImage, UnsupportedFormat
from captioning.images.rendition import TURNED

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "HEIF", "AVIF")
"""Pillow's names; a JPEG with several pictures is opened as MPO."""

Image.MAX_IMAGE_PIXELS = None  # the header is checked before decoding, with our limit and error
pillow_heif.register_heif_opener()
_slots = threading.BoundedSemaphore(os.cpu_count() or 1)

_CORRUPT = "The file is damaged or cut off: it cannot be decoded. Upload it again."


def file_extensions() -> frozenset[str]:
    """The lower-case extensions of these formats, with the dot."""
    known = Image.registered_extensions().items()
    return frozenset(extension for extension, name in known if name in FORMATS)


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """The image with its header read and nothing decoded. Raises UnsupportedFormat or
    CorruptImage."""
    if not data:
        raise CorruptImage("The blob is empty. Upload the image again.")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise UnsupportedFormat(
            f"The content is {_looks_like(data)}, not an image the app reads "
            f"({', '.join(FORMATS)}). Convert it and upload it again."
        ) from error
    except Exception as error:
        raise CorruptImage(_CORRUPT) from error
    with image:
        yield image


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height as a viewer shows the image, by its header: nothing is decoded. A PNG with
    its orientation after the pixels is taken as it is stored."""
    has_orientation = image.format != "PNG" or "exif" in image.info
    if image.format == "TIFF" or not has_orientation:  # Pillow's size of a TIFF is upright already
        return image.size
    with corrupt_if_it_fails():
        return image.size[::-1] if _orientation(image) in TURNED else image.size


def decode(image: Image.Image, side: int, least: int) -> tuple[Image.Image, int]:
    """The upright first frame as RGB, at most `side` px long, and the EXIF orientation it had.

    If the decoder can scale by itself, its result is used as it is, down to a long side of `least`
    px. Transparency becomes white. Raises CorruptImage.
    """
    with _slots, corrupt_if_it_fails():
        # Pillow rotates a TIFF while loading it; a PNG may have its orientation after the pixels.
        before = _orientation(image) if image.format == "TIFF" else None
        scale = least / max(image.size)
        if scale < 1:
            wanted = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
            image.draft(None, wanted)
        image.load()
        orientation = before or _orientation(image)
        upright = at_most(_eight_bits(image), side)
        ImageOps.exif_transpose(upright, in_place=True)
        return _on_white(upright), orientation


def at_most(image: Image.Image, side: int) -> Image.Image:
    """The image scaled down to a long side of `side` px, or itself if it is smaller."""
    if max(image.size) <= side:
        return image
    if image.mode in {"P", "1"}:
        image = image.convert("RGBA")
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    smaller = image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)
    smaller.info = image.info
    return smaller


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image with 8 bits per sample. The range of deeper samples is scaled, where Pillow would
    clip them to 255."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in {"I", "F"}:
        low, high = cast(tuple[float, float], image.getextrema())  # one band: one pair
        span = (high - low) or 1.0
        return image.point(lambda value: value * (255 / span) - low * 255 / span).convert("L")
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """The image as RGB on white, without metadata."""
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(with_alpha, mask=with_alpha.getchannel("A"))
        return page
    plain = image if image.mode == "RGB" else image.convert("RGB")
    plain.info = {}
    return plain


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 if there is no valid one."""
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


@contextmanager
def corrupt_if_it_fails() -> Iterator[None]:
    """Raises CorruptImage for whatever a decoder raises on a broken file."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise CorruptImage(_CORRUPT) from error


def _looks_like(data: bytes) -> str:
    start = data[:1024].lstrip().lower()
    if start.startswith(b"%pdf"):
        return "a PDF"
    if start.startswith((b"pk\3\4", b"rar!", b"7z\xbc\xaf", b"\x1f\x8b")):
        return "an archive"
    if _is_video(data):
        return "a video"
    if b"<svg" in start:
        return "an SVG drawing"
    if b"\0" not in start and start.isascii():
        return "text"
    return "of an unknown kind"


def _is_video(data: bytes) -> bool:
    """Whether it begins as MP4 and QuickTime, Matroska and WebM, AVI, or MPEG do."""
    return (
        data[4:8] in {b"moov", b"mdat", b"wide"}
        # HEIF, AVIF and some raw photos begin with ftyp, too.
        or data[4:11] in {b"ftypiso", b"ftypmp4", b"ftypM4V", b"ftyp3gp", b"ftypavc", b"ftypqt "}
        or data.startswith((b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3"))
        or (data.startswith(b"RIFF") and data[8:12] == b"AVI ")
    )
