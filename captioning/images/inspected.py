"""What an app holds of an inspected image: facts, and what was made of its pixels.

Pillow is not imported here. Pictures are decoded in other processes: see `helpers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from captioning.errors import ImageTooSmall
from captioning.images.rendition import TURNED, InputLimits, Rendition
from captioning.images.sketch import Sketch


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header of an image says. `width` x `height` are upright, in pixels."""

    format: str
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an image once it is decoded. `width` x `height` are upright, as a viewer
    shows it, in pixels; `orientation` is the one that it is stored in (1 to 8).

    `is_unambiguous`: whether a service that gets the bytes sees the same as a browser, or the size
    that it sees shows how it differs. `color` names the colour space, and `is_srgb` says whether a
    program that knows none shows the right colours.
    """

    format: str
    media_type: str
    width: int
    height: int
    frames: int
    orientation: int
    is_unambiguous: bool
    color: str
    is_srgb: bool


@dataclass(frozen=True, slots=True)
class Picture(Facts):
    """An inspected image. `model` is the JPEG that the caption model sees. `reencode` makes a JPEG
    within the limits of a service, or raises ImageRejected."""

    data: bytes = field(repr=False)
    sha256: str
    model: Rendition = field(repr=False)
    likeness: Sketch = field(repr=False)
    reencode: Callable[[InputLimits], Rendition] = field(repr=False)

    def for_model(self) -> Rendition:
        """A JPEG of at most a megapixel, upright, free of metadata."""
        return self.model

    def sketch(self) -> Sketch:
        """What it looks like, to recognise near-identical frames."""
        return self.likeness

    def for_service(self, limits: InputLimits) -> Rendition:
        """The original bytes if they are within `limits`, else a JPEG that is.

        Raises ImageTooSmall if no size is within the limits, and what `reencode` raises.
        """
        check_sides(self.width, self.height, limits.min_side)
        return self._original() if self._is_taken(limits) else self.reencode(limits)

    def _is_taken(self, limits: InputLimits) -> bool:
        return (
            self.is_unambiguous
            and self.is_srgb
            and self.format in limits.formats
            and len(self.data) < limits.max_bytes
            and max(self.width, self.height) <= limits.max_side
        )

    def _original(self) -> Rendition:
        turned = self.orientation in TURNED
        return Rendition(
            data=self.data,
            media_type=self.media_type,
            width=self.height if turned else self.width,
            height=self.width if turned else self.height,
            orientation=self.orientation,
            stored=(self.width, self.height),
        )


def picture_of(
    data: bytes,
    facts: Facts,
    model: Rendition,
    likeness: Sketch,
    reencode: Callable[[InputLimits], Rendition],
) -> Picture:
    """The picture of these bytes. Their SHA-256 is worked out here, and never by a helper: other
    pictures with the same bytes get the same caption."""
    return Picture(
        **{name: getattr(facts, name) for name in Facts.__slots__},
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        model=model,
        likeness=likeness,
        reencode=reencode,
    )


def check_sides(width: int, height: int, least: int) -> None:
    """Raises ImageTooSmall where a side has fewer than `least` pixels."""
    if min(width, height) < least:
        raise ImageTooSmall(
            f"The image is {width} x {height} px; each side must have at least "
            f"{least} px. Upload a larger version."
        )
