"""Samples of more than 8 bits, scaled to 8, where Pillow would clip them to 255."""

from __future__ import annotations

from typing import cast

from PIL import Image


def eight_bits(image: Image.Image) -> Image.Image:
    """The loaded image with 8 bits per sample."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in {"I", "F"}:
        low, high = cast(tuple[float, float], image.getextrema())  # one band: one pair
        span = (high - low) or 1.0
        return image.point(lambda value: value * (255 / span) - low * 255 / span).convert("L")
    return image
