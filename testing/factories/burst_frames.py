"""Frames of a burst as a camera takes them, and pictures that do not belong to it."""

from __future__ import annotations

from functools import cache

from PIL import Image, ImageChops, ImageDraw

from testing.factories.pictures import encoded
from testing.paths import ROOT

ROOM = 0.03
"""The share that is cut off on each side; the hand moves within it."""


@cache
def sample(name: str) -> Image.Image:
    """A sample's pixels."""
    with Image.open(ROOT / f"samples/{name}.jpg") as image:
        return image.convert("RGB")


def moved(image: Image.Image, right: float = 0.0, down: float = 0.0) -> Image.Image:
    """The picture after the camera moved by these shares of its size, at most ROOM."""
    width, height = image.size
    left, top = (ROOM + right) * width, (ROOM + down) * height
    box = (left, top, left + (1 - 2 * ROOM) * width, top + (1 - 2 * ROOM) * height)
    return image.resize(image.size, Image.Resampling.BICUBIC, box=box)


def noisy(image: Image.Image, sigma: float = 6.0) -> Image.Image:
    """The picture with the noise of a sensor, different each time."""
    noise = Image.merge("RGB", [Image.effect_noise(image.size, sigma) for _ in "RGB"])
    return ImageChops.add(image, noise, 1, -128)


def with_object(image: Image.Image, area: float, colour: str = "gray") -> Image.Image:
    """The picture with a disc that covers this share of it."""
    changed, side = image.copy(), (area * image.width * image.height) ** 0.5
    x, y = image.width * 0.35, image.height * 0.4
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    ImageDraw.Draw(changed).ellipse(box, fill=colour)
    return changed


@cache
def frame(number: int, name: str = "coffee") -> bytes:
    """The n-th JPEG of a burst: nearly the same picture in different bytes."""
    hand = moved(sample(name), 0.002 * (number % 5), -0.001 * (number % 3))
    return encoded(hand, "JPEG", quality=90 - number)
