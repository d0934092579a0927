"""A rendition: the bytes of an image that a service gets, and the way back to its own pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it would be a part of every start of a helper
    from captioning.domain.record import Box, ImageAnalysis

TURNED = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""


@dataclass(frozen=True, slots=True)
class InputLimits:
    """What a service accepts: formats by Pillow's names, bytes (exclusive), pixels per side."""

    formats: frozenset[str]
    max_bytes: int
    min_side: int = 1
    max_side: int = 16_000


@dataclass(frozen=True, slots=True)
class Rendition:
    """Encoded bytes for a service. `width` x `height` are the pixels in the bytes;
    `orientation` is the EXIF orientation (1 to 8) that a viewer still has to apply to them;
    `stored` is the upright size of the image in the container.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    orientation: int
    stored: tuple[int, int]

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as a viewer shows the bytes."""
        turned = self.orientation in TURNED
        return (self.height, self.width) if turned else (self.width, self.height)

    def to_stored(self, analysis: ImageAnalysis) -> ImageAnalysis:
        """The analysis with its boxes in upright pixels of the stored image.

        It is not documented whether Azure AI Vision applies the EXIF orientation; the size that it
        reports shows it. If it cannot (a square, a half turn), an upright reading is assumed.
        """
        seen = (analysis.width, analysis.height)
        raw = seen == (self.width, self.height) and seen != self.upright
        orientation = self.orientation if raw else 1
        seen_upright = (seen[1], seen[0]) if raw else seen

        def place(box: Box) -> Box:
            return _scale(_turn(box, orientation, seen), seen_upright, self.stored)

        return replace(
            analysis,
            width=self.stored[0],
            height=self.stored[1],
            objects=tuple(replace(item, box=place(item.box)) for item in analysis.objects),
            text=tuple(replace(item, box=place(item.box)) for item in analysis.text),
            brands=tuple(replace(item, box=place(item.box)) for item in analysis.brands),
            people=tuple(replace(item, box=place(item.box)) for item in analysis.people),
        )


def _turn(box: Box, orientation: int, size: tuple[int, int]) -> Box:
    """Where a box of the raw pixels lies once the EXIF orientation is applied."""
    x, y, w, h = box
    right, bottom = size[0] - x - w, size[1] - y - h
    return {
        1: (x, y, w, h),
        2: (right, y, w, h),
        3: (right, bottom, w, h),
        4: (x, bottom, w, h),
        5: (y, x, h, w),
        6: (bottom, x, h, w),
        7: (bottom, right, h, w),
        8: (y, right, h, w),
    }[orientation]


def _scale(box: Box, seen: tuple[int, int], stored: tuple[int, int]) -> Box:
    """The box in the stored image's pixels, kept inside it."""
    if not all(seen):
        return box
    across, down = stored[0] / seen[0], stored[1] / seen[1]
    left, top = _clamp(box[0] * across, stored[0]), _clamp(box[1] * down, stored[1])
    right = _clamp((box[0] + box[2]) * across, stored[0])
    bottom = _clamp((box[1] + box[3]) * down, stored[1])
    return (left, top, max(0, right - left), max(0, bottom - top))


def _clamp(value: float, limit: int) -> int:
    return min(max(round(value), 0), limit)
