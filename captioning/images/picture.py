"""Inspects the bytes of an image, and makes the rendition that each service gets.

An image is decoded once, at reduced scale if its format allows that, to the preview that the
caption model sees. This also proves that the file is complete.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass, field

from PIL import Image

from captioning.errors import ImageTooLarge, ImageTooSmall
from captioning.images.color import ColorSpace
from captioning.images.decoding import at_most, decode, media_type_of, opened
from captioning.images.first_frame import frames_of, is_plain
from captioning.images.formats.lazy import MENDED
from captioning.images.likeness import sketch
from captioning.images.orientation import is_undisputed, upright_size
from captioning.images.rendition import TURNED, InputLimits, Rendition
from captioning.images.sketch import Sketch

MAX_PIXELS = 100_000_000
PREVIEW_PIXELS = 1_000_000
"""Area of the preview: some models count tokens by area."""
PREVIEW_SIDE = 1_536
PREVIEW_QUALITY = 85
"""JPEG quality of the preview: a quarter fewer bytes than at 90, without a visible difference."""
PREVIEW_MIN_SIDE = 768
"""A preview that the JPEG decoder has scaled by itself is used as it is, down to this long side."""
DRAWN_COLORS = 4_096
"""A picture of at most so many colours is a drawing: its JPEG keeps colour for every pixel."""
REENCODED_SIDE = 4_096
"""Long side for a service that cannot take the original: enough to read small print."""
THUMBNAIL_RATIO = 2
"""The greatest height of a thumbnail, in widths, so that a tall strip stays small."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header of an image says. `width` x `height` are upright, in pixels."""

    format: str
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Picture:
    """An inspected image. `width` x `height` are upright, as a viewer shows it, in pixels.
    `is_unambiguous`: whether a service that gets the bytes sees the same as a browser, or the size
    that it sees shows how it differs."""

    data: bytes = field(repr=False)
    format: str
    width: int
    height: int
    frames: int
    orientation: int
    is_unambiguous: bool
    space: ColorSpace
    sha256: str
    preview: Image.Image = field(repr=False)

    @property
    def color(self) -> str:
        """The name of its colour space."""
        return self.space.name

    def for_model(self) -> Rendition:
        """A JPEG of at most a megapixel, upright, free of metadata."""
        return self._encoded(self.preview)

    def sketch(self) -> Sketch:
        """What it looks like, to recognise near-identical frames."""
        return sketch(self.preview)

    def for_service(self, limits: InputLimits) -> Rendition:
        """The original bytes if they are within `limits`, else a JPEG that is.

        Raises ImageTooSmall if no size is within the limits.
        """
        _check_sides(self.width, self.height, limits.min_side)
        if self._is_taken(limits):
            return self._original()
        return self._reencoded(limits)

    def _is_taken(self, limits: InputLimits) -> bool:
        return (
            self.is_unambiguous
            and self.space.is_srgb
            and self.format in limits.formats
            and len(self.data) < limits.max_bytes
            and max(self.width, self.height) <= limits.max_side
        )

    def _original(self) -> Rendition:
        turned = self.orientation in TURNED
        return Rendition(
            data=self.data,
            media_type=media_type_of(self.format),
            width=self.height if turned else self.width,
            height=self.width if turned else self.height,
            orientation=self.orientation,
            stored=(self.width, self.height),
        )

    def _reencoded(self, limits: InputLimits) -> Rendition:
        side = min(limits.max_side, REENCODED_SIDE)
        while True:
            fits = side <= max(self.preview.size) or self.preview.size == (self.width, self.height)
            pixels = self.preview if fits else self._decoded(side)
            rendition = self._encoded(at_most(pixels, side))
            if min(rendition.width, rendition.height) < limits.min_side:
                raise ImageTooSmall(
                    f"The image is {self.width} x {self.height} px: scaled down to what the vision "
                    f"service takes, a side has fewer than {limits.min_side} px. Crop it."
                )
            if len(rendition.data) < limits.max_bytes:
                return rendition
            side = max(rendition.width, rendition.height) * 3 // 4

    def _decoded(self, side: int) -> Image.Image:
        with opened(self.data) as image:
            return decode(image, side, side).pixels

    def _encoded(self, pixels: Image.Image, quality: int = 90) -> Rendition:
        return Rendition(
            data=_jpeg(pixels, quality),
            media_type="image/jpeg",
            width=pixels.width,
            height=pixels.height,
            orientation=1,
            stored=(self.width, self.height),
        )


def inspect(data: bytes) -> Picture:
    """The decoded picture; the format is detected from the content. Raises ImageTooLarge,
    UnsupportedFormat or CorruptImage."""
    with opened(data) as image:
        _check_size(image)
        (width, height), file_format = upright_size(image), image.format or ""
        is_unambiguous = MENDED not in image.info and is_plain(image) and is_undisputed(image)
        decoded = decode(image, _preview_side(width, height), PREVIEW_MIN_SIDE)
        frames = frames_of(image)  # after the first frame: a later one may be broken
    return Picture(
        data=data,
        format=file_format,
        width=width,
        height=height,
        frames=frames,
        orientation=decoded.orientation,
        is_unambiguous=is_unambiguous,
        space=decoded.space,
        sha256=hashlib.sha256(data).hexdigest(),
        preview=decoded.pixels,
    )


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
    _check_sides(header.width, header.height, min_side)
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


def _jpeg(pixels: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    # Thin lines keep their colours. A photo would cost a sixth more bytes.
    subsampling = 0 if pixels.getcolors(DRAWN_COLORS) else 2
    pixels.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def _check_sides(width: int, height: int, least: int) -> None:
    if min(width, height) < least:
        raise ImageTooSmall(
            f"The image is {width} x {height} px; each side must have at least "
            f"{least} px. Upload a larger version."
        )


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
