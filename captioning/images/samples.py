"""Samples of more than 8 bits, scaled to 8, where Pillow would clip them to 255."""

from __future__ import annotations

import math
from array import array

from PIL import Image

_SAMPLED = 100_000
_LEFT_OUT = 0.001
"""The share of samples at either end that may lie outside the range: dead and hot pixels."""


def eight_bits(image: Image.Image) -> Image.Image:
    """The loaded image with 8 bits per sample."""
    if image.mode.startswith("I;16"):
        return _from_sixteen_bits(image)
    if image.mode in {"I", "F"}:
        return bytes_of_floats([image.convert("F")])[0]
    if image.mode == "La":
        return image.convert("LA")
    return image


def bytes_of_floats(bands: list[Image.Image], *, is_alpha: bool = False) -> list[Image.Image]:
    """Bands of mode F as bands of mode L, all scaled alike. Others are as they were.

    Numbers from 0 to 1 are a share of white. Others are stretched between the darkest and the
    brightest but for a few; what is no number is black.
    """
    if bands[0].mode != "F":
        return bands
    low, high = (0.0, 1.0) if is_alpha else _range(bands)
    span = high - low
    scale, shift = 255 / span, 0.5 - low * 255 / span  # converting cuts the decimals off
    return [band.point(lambda value: value * scale + shift).convert("L") for band in bands]


def _range(bands: list[Image.Image]) -> tuple[float, float]:
    values: list[float] = []
    for band in bands:
        samples = array("f", band.tobytes())
        values += samples[:: max(1, len(samples) * len(bands) // _SAMPLED)]
    values = sorted(value for value in values if math.isfinite(value))
    if not values:
        return 0.0, 1.0
    out = int(len(values) * _LEFT_OUT)
    low, high = values[out], values[-1 - out]
    if (low >= 0 and 1 / 256 < high <= 1) or high == low == 0:
        return 0.0, 1.0
    return (low, high) if high > low else (low - 1, low + 1)


def _from_sixteen_bits(image: Image.Image) -> Image.Image:
    whole = image.convert("I")
    grey = whole.point(lambda value: value * (1 / 256)).convert("L")
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    table = [255] * 65_536
    table[transparent & 0xFFFF] = 0
    return Image.merge("LA", [grey, whole.point(table, "L")])
