"""Inspects the bytes of an image, and makes the rendition that each service gets. The app has this
done in processes of their own: see `helpers`.

An image is decoded once, at reduced scale if its format allows that, to the preview that the
caption model sees. This also proves that the file is complete.
"""

from __future__ import annotations

import io
import math
from functools import partial

from PIL import Image

from captioning.errors import ImageTooLarge, ImageTooSmall
from captioning.images.decoding import at_most, decode, media_type_of, opened
from captioning.images.first_frame import frames_of, is_plain
from captioning.images.formats.lazy import MENDED
from captioning.images.inspected import Facts, ImageHeader, Picture, check_sides, picture_of
from captioning.images.likeness import sketch
from captioning.images.orientation import is_undisputed, upright_size
from captioning.images.rendition import InputLimits, Rendition
from captioning.images.sketch import Sketch

MAX_PIXELS = 100_000_000
PREVIEW_PIXELS = 1_000_000
"""Area of the preview: some models count tokens by area."""
PREVIEW_SIDE = 1_536
RENDITION_QUALITY = 90
"""JPEG quality of what services get."""
PREVIEW_MIN_SIDE = 768
"""A preview that the JPEG decoder has scaled by itself is used as it is, down to this long side."""
DRAWN_COLORS, SAMPLED = 1_024, (128, 128)
"""A picture with at most so many colours in a sample of its pixels is a drawing: its JPEG keeps
colour for every pixel."""
REENCODED_SIDE = 4_096
"""Long side for a service that cannot take the original: enough to read small print."""
THUMBNAIL_RATIO = 2
"""The greatest height of a thumbnail, in widths, so that a tall strip stays small."""


def inspect(data: bytes) -> Picture:
    """The decoded picture; the format is detected from the content. Raises ImageTooLarge,
    UnsupportedFormat or CorruptImage."""
    return picture_of(data, *examine(data), partial(rendition, data))


def examine(data: bytes) -> tuple[Facts, Rendition, Sketch]:
    """What is known of a picture, what the caption model sees of it, and its sketch. Raises what
    `inspect` does."""
    facts, pixels = look(data)
    return facts, _encoded(pixels, (facts.width, facts.height)), sketch(pixels)


def look(data: bytes) -> tuple[Facts, Image.Image]:
    """What is known of a picture, and the preview: upright, RGB in sRGB. Raises what `inspect`
    does."""
    with opened(data) as image:
        _check_size(image)
        (width, height), file_format = upright_size(image), image.format or ""
        is_unambiguous = MENDED not in image.info and is_plain(image) and is_undisputed(image)
        decoded = decode(image, _preview_side(width, height), PREVIEW_MIN_SIDE)
        frames = frames_of(image)  # after the first frame: a later one may be broken
    facts = Facts(
        format=file_format,
        media_type=media_type_of(file_format),
        width=width,
        height=height,
        frames=frames,
        orientation=decoded.orientation,
        is_unambiguous=is_unambiguous,
        color=decoded.space.name,
        is_srgb=decoded.space.is_srgb,
    )
    return facts, decoded.pixels


def rendition(data: bytes, limits: InputLimits) -> Rendition:
    """An upright JPEG within the limits of a service, free of metadata. Raises ImageTooSmall where
    there is none, ImageTooLarge, UnsupportedFormat or CorruptImage."""
    side = min(limits.max_side, REENCODED_SIDE)
    with opened(data) as image:
        _check_size(image)
        stored = upright_size(image)
        pixels = decode(image, side, side).pixels
    while True:
        pixels = at_most(pixels, side)
        if min(pixels.size) < limits.min_side:
            raise ImageTooSmall(
                f"The image is {stored[0]} x {stored[1]} px: scaled down to what the vision "
                f"service takes, a side has fewer than {limits.min_side} px. Crop it."
            )
        made = _encoded(pixels, stored)
        if len(made.data) < limits.max_bytes:
            return made
        side = max(pixels.size) * 3 // 4


def read_header(data: bytes) -> ImageHeader:
    """What the header says; the format is detected from the content. Raises UnsupportedFormat or
    CorruptImage."""
    with opened(data) as image:
        return _header(image)


def check_header(data: bytes, min_side: int) -> ImageHeader:
    """What the header of a new image says.

    Raises the ImageRejected that `inspect`, or a service with this least side, would raise later,
    as far as the header shows it.
    """
    with opened(data) as image:
        _check_size(image)
        header = _header(image)
    check_sides(header.width, header.height, min_side)
    return header


def thumbnail(data: bytes, width: int) -> bytes:
    """An upright JPEG without metadata, at most `width` px wide and twice as high, never enlarged.
    Raises ImageTooLarge, UnsupportedFormat or CorruptImage."""
    with opened(data) as image:
        _check_size(image)
        side = max(_fitted(*upright_size(image), width))
        pixels = decode(image, side, side).pixels
    fitted = _fitted(*pixels.size, width)
    if fitted != pixels.size:
        pixels = pixels.resize(fitted, Image.Resampling.BICUBIC)
    return _jpeg(pixels, 80)


def _fitted(across: int, down: int, width: int) -> tuple[int, int]:
    """The size of a thumbnail with at most this width."""
    scale = min(1.0, width / max(1, across), width * THUMBNAIL_RATIO / max(1, down))
    return max(1, round(across * scale)), max(1, round(down * scale))


def _header(image: Image.Image) -> ImageHeader:
    name = image.format or ""
    return ImageHeader(name, media_type_of(name), *upright_size(image))


def _encoded(pixels: Image.Image, stored: tuple[int, int]) -> Rendition:
    return Rendition(
        data=_jpeg(pixels, RENDITION_QUALITY),
        media_type="image/jpeg",
        width=pixels.width,
        height=pixels.height,
        orientation=1,
        stored=stored,
    )


def _jpeg(pixels: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    # Thin lines keep their colours. A photo would cost a sixth more bytes.
    looked_at = pixels.resize(SAMPLED, Image.Resampling.NEAREST)
    subsampling = 0 if looked_at.getcolors(DRAWN_COLORS) else 2
    # Pillow would write the comment of the file, and no other metadata.
    pixels.save(buffer, "JPEG", quality=quality, subsampling=subsampling, comment=b"")
    return buffer.getvalue()


def _preview_side(width: int, height: int) -> int:
    """The long side of the preview."""
    scale = min(1.0, math.sqrt(PREVIEW_PIXELS / max(1, width * height)))
    return min(PREVIEW_SIDE, max(1, int(max(width, height) * scale)))


def _check_size(image: Image.Image) -> None:
    """Raises ImageTooLarge by the header, before anything is decoded."""
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise ImageTooLarge(
            f"The image is {image.width} x {image.height} px, {pixels / 1e6:,.0f} megapixels; "
            f"the limit is {MAX_PIXELS // 1_000_000}. Upload a smaller version."
        )
