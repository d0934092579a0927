"""Decodes damaged, deep, rotated, transparent and huge images to plain pixels, by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pillow_heif
from PIL import Image

from captioning.errors import CorruptImage, ImageRejected
from captioning.images.color import ColorSpace, colors_of
from captioning.images.first_frame import first_frame
from captioning.images.formats import opening, raw
from captioning.images.orientation import orientation_of, upright
from captioning.images.samples import eight_bits

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "HEIF", "AVIF", "JPEG2000")
"""Pillow's names. Beside them, cameras' raw files are read that hold a preview."""

Image.MAX_IMAGE_PIXELS = None  # the header is checked before decoding, with our limit and error
pillow_heif.register_heif_opener()

_CORRUPT = "The file is damaged or cut off: it cannot be decoded. Upload it again."


def file_extensions() -> frozenset[str]:
    """The lower-case extensions of these formats, with the dot."""
    known = Image.registered_extensions().items()
    pictures = {extension for extension, name in known if name in {*FORMATS, "MPO"}}
    return frozenset(pictures | {f".{name.lower()}" for name in raw.MEDIA_TYPES})


def media_type_of(file_format: str) -> str:
    """The media type of a format as `opened` names it."""
    known = raw.MEDIA_TYPES.get(file_format) or Image.MIME.get(file_format)
    return known or "application/octet-stream"


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """The image with its header read and nothing decoded. Raises UnsupportedFormat or
    CorruptImage."""
    if not data:
        raise CorruptImage("The blob is empty. Upload the image again.")
    with corrupt_if_it_fails():
        image = opening.opened(data)
        if not all(image.size):
            raise CorruptImage(_CORRUPT)
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
        orientation, colors = orientation_of(image), colors_of(image)
        scale = least / max(image.size)
        if scale < 1:
            wanted = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
            image.draft(None, wanted)
        pixels = at_most(eight_bits(first_frame(image)), side)
        if image.format != "TIFF":  # Pillow turns a TIFF while it loads it
            pixels = upright(pixels, orientation)
        return Decoded(_on_white(colors.to_srgb(pixels)), orientation, colors.space)


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
    except (MemoryError, ImageRejected):
        raise
    except Exception as error:
        raise CorruptImage(_CORRUPT) from error
