"""What the chat service sees: the number in the picture that `check` sends, and nothing else."""

from __future__ import annotations

import io
from functools import cache

from PIL import Image, ImageChops, ImageStat

from captioning.cli.check import CELL, numbered

_ALIKE = 12.0
"""Levels of 255 by which a digit differs on average from itself after JPEG."""


def number_in(data: bytes) -> str | None:
    """The number in a picture; None where there is none."""
    try:
        picture = Image.open(io.BytesIO(data)).convert("L")
    except OSError:
        return None
    width, height = CELL
    if picture.height != height or picture.width % width:
        return None
    read = [_digit(picture.crop((x, 0, x + width, height))) for x in range(0, picture.width, width)]
    return "".join(read) if all(read) else None


def _digit(cell: Image.Image) -> str:
    far = {
        digit: ImageStat.Stat(ImageChops.difference(cell, _drawn(digit))).mean[0]
        for digit in "0123456789"
    }
    nearest = min(far, key=far.__getitem__)
    return nearest if far[nearest] < _ALIKE else ""


@cache
def _drawn(digit: str) -> Image.Image:
    return Image.open(io.BytesIO(numbered(digit))).convert("L")
