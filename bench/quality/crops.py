"""200 pictures whose subject is known and often not in the middle: parts of the sample photos, and
panoramas, posters and screens that have one of them at any place. The same ones each time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageFilter, ImageOps

from testing.factories.burst_frames import sample
from testing.factories.pictures import quadrants

COUNT = 200
SUBJECTS = {
    "cat": (90, 30, 330, 280),
    "coffee": (150, 60, 430, 340),
    "camera": (140, 60, 400, 500),
    "rocket": (260, 100, 380, 400),
    "astronaut": (60, 0, 420, 500),
}
"""By sample photo: what it shows, as left, upper, right and lower edge."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Crop:
    """A picture made from the sample photo `name`, all of whose subject is in it."""

    name: str
    kind: str
    picture: Image.Image


def crops() -> Iterator[Crop]:
    """The pictures. Neighbours differ in their photo and kind, and the first half has as many of
    each as the second."""
    drawn = random.Random(19)
    for number in range(COUNT):
        name = tuple(SUBJECTS)[number % len(SUBJECTS)]
        kind = tuple(KINDS)[number // len(SUBJECTS) % len(KINDS)]
        yield Crop(name, kind, KINDS[kind](name, drawn))


def _part(name: str, drawn: random.Random) -> Image.Image:
    """A part of the photo with the subject at any place of it."""
    photo = sample(name)
    left, upper, right, lower = SUBJECTS[name]
    box = (
        drawn.randint(0, left),
        drawn.randint(0, upper),
        drawn.randint(right, photo.width),
        drawn.randint(lower, photo.height),
    )
    return photo.crop(box)


def _slice(name: str, drawn: random.Random) -> Image.Image:
    """The subject with all that is to the one side of it in the photo, and nothing else."""
    photo, (left, upper, right, lower) = sample(name), SUBJECTS[name]
    boxes = [
        (left, upper, photo.width, lower),
        (0, upper, right, lower),
        (left, upper, right, photo.height),
        (left, 0, right, lower),
    ]
    return photo.crop(drawn.choice(boxes))


def _wide(name: str, drawn: random.Random) -> Image.Image:
    photo = _part(name, drawn)
    return _on_ground(photo, int(photo.height * drawn.uniform(1.6, 4)), photo.height, drawn)


def _tall(name: str, drawn: random.Random) -> Image.Image:
    photo = _part(name, drawn)
    return _on_ground(photo, photo.width, int(photo.width * drawn.uniform(1.4, 3)), drawn)


def _small(name: str, drawn: random.Random) -> Image.Image:
    """The photo at any place of a larger picture, a third to two thirds of each side."""
    photo, share = _part(name, drawn), drawn.uniform(1.5, 3)
    return _on_ground(photo, int(photo.width * share), int(photo.height * share), drawn)


KINDS: dict[str, Callable[[str, random.Random], Image.Image]] = {
    "part": _part,
    "slice": _slice,
    "wide": _wide,
    "tall": _tall,
    "small": _small,
}


def _on_ground(photo: Image.Image, width: int, height: int, drawn: random.Random) -> Image.Image:
    """The photo at a random place of a picture of this size (or its own, where that is larger)."""
    size = (max(width, photo.width), max(height, photo.height))
    picture = drawn.choice((_blurred, _sky, _plain, _quadrants))(photo, size)
    left = drawn.randint(0, size[0] - photo.width)
    picture.paste(photo, (left, drawn.randint(0, size[1] - photo.height)))
    return picture


def _blurred(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The photo itself, out of focus."""
    return ImageOps.fit(photo, size).filter(ImageFilter.GaussianBlur(min(size) // 8))


def _sky(_photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """From light to dark."""
    return ImageOps.colorize(Image.linear_gradient("L"), "#dde8f4", "#6688aa").resize(size)


def _plain(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The mean colour of the photo."""
    return photo.resize((1, 1), Image.Resampling.BOX).resize(size)


def _quadrants(_photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    return quadrants(*size)
