"""Images: bytes in; what they are and the rendition each service gets out.

An image is decoded once, at reduced scale where its format allows, to the preview that the caption
model sees; that also proves the file whole.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field

from PIL import Image

from captioning.decoding import at_most, corrupt_if_it_fails, decode, opened
from captioning.errors import ImageTooLarge, ImageTooSmall
from captioning.rendition import TURNED, InputLimits, Rendition

MAX_PIXELS = 100_000_000
PREVIEW_SIDE = 1_024
PREVIEW_MIN_SIDE = 768
"""A scale that the JPEG decoder reaches by itself is taken as it is down to this long side."""
REENCODED_SIDE = 4_096
"""Long side of what a service gets that does not take the original: enough to read small print."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An inspected image. `width` x `height` are upright, as a viewer shows it."""

    data: bytes = field(repr=False)
    format: str
    width: int
    height: int
    frames: int
    orientation: int
    sha256: str
    preview: Image.Image = field(repr=False)

    def for_model(self) -> Rendition:
        """A JPEG of at most 1,024 px a side, upright, free of metadata."""
        return self._encoded(self.preview)

    def for_service(self, limits: InputLimits) -> Rendition:
        """The original bytes where `limits` take them, otherwise a JPEG that they take.

        Raises ImageTooSmall where no size is in the limits.
        """
        if min(self.width, self.height) < limits.min_side:
            raise ImageTooSmall(
                f"The image is {self.width} x {self.height} px; each side must have at least "
                f"{limits.min_side} px. Upload a larger version."
            )
        if self._is_taken(limits):
            return self._original()
        return self._reencoded(limits)

    def _is_taken(self, limits: InputLimits) -> bool:
        return (
            self.format in limits.formats
            and len(self.data) < limits.max_bytes
            and max(self.width, self.height) <= limits.max_side
        )

    def _original(self) -> Rendition:
        turned = self.orientation in TURNED
        return Rendition(
            data=self.data,
            media_type=Image.MIME.get(self.format, "application/octet-stream"),
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
            return decode(image, side, side)[0]

    def _encoded(self, pixels: Image.Image) -> Rendition:
        buffer = io.BytesIO()
        pixels.save(buffer, "JPEG", quality=90)
        return Rendition(
            data=buffer.getvalue(),
            media_type="image/jpeg",
            width=pixels.width,
            height=pixels.height,
            orientation=1,
            stored=(self.width, self.height),
        )


def inspect(data: bytes) -> Picture:
    """What the bytes are, by content. Raises ImageTooLarge, UnsupportedFormat or CorruptImage."""
    with opened(data) as image:
        _check_size(image)
        size, file_format = image.size, image.format or ""
        with corrupt_if_it_fails():
            frames = getattr(image, "n_frames", 1)
        preview, orientation = decode(image, PREVIEW_SIDE, PREVIEW_MIN_SIDE)
    turned = orientation in TURNED and file_format != "TIFF"  # of a TIFF, Pillow gives it upright
    return Picture(
        data=data,
        format=file_format,
        width=size[1] if turned else size[0],
        height=size[0] if turned else size[1],
        frames=frames,
        orientation=orientation,
        sha256=hashlib.sha256(data).hexdigest(),
        preview=preview,
    )


def _check_size(image: Image.Image) -> None:
    """By the header: nothing has been decoded."""
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise ImageTooLarge(
            f"The image is {image.width} x {image.height} px, {pixels / 1e6:,.0f} megapixels; "
            f"the limit is {MAX_PIXELS // 1_000_000}. Upload a smaller version."
        )
