"""What a picture looks like, in a few bytes: enough to tell near-identical frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

MOST_BITS = 10
"""Of 64, in which the hashes of near-identical frames may differ."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A perceptual hash of 64 bits to find frames by, and small pixels that decide."""

    hash: int
    pixels: bytes = field(default=b"", repr=False)

    def may_be(self, other: Sketch) -> bool:
        """Whether the hashes are close enough to look at the pixels."""
        return (self.hash ^ other.hash).bit_count() <= MOST_BITS


@dataclass(frozen=True, slots=True)
class Frame:
    """An image that may be one of a burst.

    `group` names what is uploaded to one folder in one size, for captions of one kind; `since` is
    when a run began to look after it. Listed frames have a sketch without pixels.
    """

    group: str
    sha256: str
    uploaded: datetime
    since: datetime
    sketch: Sketch
