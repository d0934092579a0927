"""What a picture looks like, in a few bytes: enough to recognise near-identical frames."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_BITS = 10
"""Bits of 64 in which the hashes of near-identical frames may differ."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """A perceptual hash of 64 bits that finds candidates, and a few pixels that decide."""

    hash: int
    pixels: bytes = field(default=b"", repr=False)

    def may_be(self, other: Sketch) -> bool:
        """Whether the hashes are close enough to compare the pixels."""
        return (self.hash ^ other.hash).bit_count() <= MOST_BITS
