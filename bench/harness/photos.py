"""JPEGs like those of a camera: photos with grain, of a given size, no two with equal bytes."""

from __future__ import annotations

import io
import random
from functools import cache

from PIL import Image

from testing.paths import ROOT

SIZES = {1: (1_152, 864), 12: (4_000, 3_000)}
"""Width and height by megapixels."""
SUBJECTS = ("astronaut", "cat", "coffee", "rocket")
GRAIN = 14.0
"""Standard deviation of the noise that makes a file as large as a camera's."""


def photo(megapixels: int, number: int) -> bytes:
    """Photo `number`. It differs from others of its subject only in a comment, so that creating it
    takes almost no time."""
    data = _scene(megapixels, number % len(SUBJECTS))
    note = f"photograph {number}".encode()
    comment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
    return data[:2] + comment + data[2:]


@cache
def _scene(megapixels: int, number: int) -> bytes:
    """A crop of a sample, enlarged, with grain."""
    chance = random.Random(number)
    size = SIZES[megapixels]
    with Image.open(ROOT / f"samples/{SUBJECTS[number]}.jpg") as sample:
        width = round(sample.width * chance.uniform(0.6, 0.9))
        height = min(sample.height, width * size[1] // size[0])
        left = chance.randrange(sample.width - width + 1)
        top = chance.randrange(sample.height - height + 1)
        crop = sample.convert("RGB").crop((left, top, left + width, top + height))
    large = crop.resize(size, Image.Resampling.BICUBIC)
    grain = Image.effect_noise(size, GRAIN).convert("RGB")
    file = io.BytesIO()
    Image.blend(large, grain, 0.35).save(file, "JPEG", quality=90)
    return file.getvalue()
