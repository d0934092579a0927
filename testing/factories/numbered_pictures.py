"""Pictures that carry a number, which survives the way through every service."""

from __future__ import annotations

import io

from PIL import Image

from testing.factories.pictures import encoded

CELLS, CELL = 4, 16
"""Cells a side, each black or white: 16 bits. Pixels a side of a cell."""


def numbered(number: int) -> bytes:
    """A PNG of 64 x 64 pixels, the same bytes for the same number (0 to 65,535)."""
    cells = bytes(255 * (number >> bit & 1) for bit in range(CELLS * CELLS))
    small = Image.frombytes("L", (CELLS, CELLS), cells)
    side = CELLS * CELL
    return encoded(small.resize((side, side), Image.Resampling.NEAREST), "PNG")


def number_of(data: bytes) -> int:
    """The number of a picture, however a service got it."""
    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("L").resize((CELLS, CELLS), Image.Resampling.BOX)
    return sum(1 << bit for bit, light in enumerate(small.tobytes()) if light > 127)
