"""Decodes damaged, deep, rotated, transparent and huge images to plain pixels, by Pillow."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pillow_heif
from PIL import Image, UnidentifiedImageError

from captioning.errors import CorruptImage, UnsupportedFormat
from captioning.images.color import ColorSpace, color_space_of, to_srgb
from captioning.images.orientation import orientation_of, upright
from captioning.images.samples import eight_bits

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "HEIF", "AVIF")
"""Pillow's names; a JPEG with several pictures is opened as MPO."""

Image.MAX_IMAGE_PIXELS = None  # the header is checked before decoding, with our limit and error
pillow_heif.register_heif_opener()

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


@dataclass(frozen=True, slots=True)
class Decoded:
    """The upright first frame as RGB in sRGB, the orientation that it is stored in (1 to 8), and
    the colour space."""

    pixels: Image.Image
    orientation: int
    space: ColorSpace


def decode(image: Image.Image, side: int, least: int) -> Decoded:
    """The opened image, at most `side` px long.

    If the decoder can scale by itself, its result is used as it is, down to a long side of `least`
    px. Transparency becomes white. Raises CorruptImage.
    """
    with corrupt_if_it_fails():
        orientation, space = orientation_of(image), color_space_of(image)
        scale = least / max(image.size)
        if scale < 1:
            wanted = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
            image.draft(None, wanted)
        image.load()
        pixels = at_most(eight_bits(image), side)
        if image.format != "TIFF":  # Pillow turns a TIFF while it loads it
            pixels = upright(pixels, orientation)
        return Decoded(_on_white(to_srgb(pixels, space)), orientation, space)


def at_most(image: Image.Image, side: int) -> Image.Image:
    """The image scaled down to a long side of `side` px, or itself if it is smaller."""
    if max(image.size) <= side:
        return image
    if image.mode in {"P", "1"} or "transparency" in image.info:
        image = image.convert("RGBA")
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)


def _on_white(image: Image.Image) -> Image.Image:
    """RGB or RGBA as RGB on white."""
    if image.mode == "RGB":
        return image
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


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
