"""Whether two pictures are near-identical frames, by sketches of their previews.

The hash is a difference hash: is each of 8 x 8 cells darker than the next. It finds what may be
alike and no more than that: a sign that says something else has the same. The pixels decide, cell
by cell: each must lie between the darkest and the brightest of the other's cells around it, which a
hand that moves a little allows and an object that comes or goes does not. Pillow does all of it.
ImageHash would bring numpy, scipy and PyWavelets into the cloud app.
"""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter, ImageStat

from captioning.images.sketch import Sketch

SIDE, COLOUR_SIDE, BLOCK = 64, 16, 4
"""Cells a side of brightness and of colour; cells of brightness a side of what is compared."""
MOST_EXCESS = 12
"""Levels of 255 by which a block, or a cell's colour, may be out of the other's range."""
MOST_EXPOSURE = 1.15
"""How many times as bright as the other a frame may be."""
_FINE = 2 * SIDE
_BYTES = SIDE * SIDE + 2 * COLOUR_SIDE * COLOUR_SIDE


def sketch(preview: Image.Image) -> Sketch:
    """The sketch of an upright RGB picture of any size."""
    small = preview.reduce(max(1, min(preview.size) // _FINE)).convert("YCbCr")
    bright, *colours = small.split()
    cells = bright.resize((SIDE, SIDE), Image.Resampling.BOX)
    tints = [band.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX) for band in colours]
    return Sketch(_hash(cells), b"".join(part.tobytes() for part in (cells, *tints)))


def is_near(one: Sketch, other: Sketch) -> bool:
    """Whether they are of near-identical frames."""
    if not one.may_be(other) or {len(one.pixels), len(other.pixels)} != {_BYTES}:
        return False
    first, second = _bands(one.pixels), _bands(other.pixels)
    exposure = _mean(first[0]) / _mean(second[0])
    if not 1 / MOST_EXPOSURE <= exposure <= MOST_EXPOSURE:
        return False
    second[0] = second[0].point(lambda level: level * exposure)
    pairs = [*zip(first, second, strict=True), *zip(second, first, strict=True)]
    return all(_excess(*pair) <= MOST_EXCESS for pair in pairs)


def _hash(cells: Image.Image) -> int:
    levels = cells.resize((9, 8), Image.Resampling.BOX).tobytes()
    pairs = ((levels[row * 9 + x], levels[row * 9 + x + 1]) for row in range(8) for x in range(8))
    return sum((left < right) << bit for bit, (left, right) in enumerate(pairs))


def _bands(pixels: bytes) -> list[Image.Image]:
    """Brightness and the two colours."""
    cells, tint = SIDE * SIDE, COLOUR_SIDE * COLOUR_SIDE
    sides, start, bands = (SIDE, COLOUR_SIDE, COLOUR_SIDE), 0, []
    for side, length in zip(sides, (cells, tint, tint), strict=True):
        part = pixels[start : start + length]
        bands.append(Image.frombytes("L", (side, side), part))
        start += length
    return bands


def _mean(band: Image.Image) -> float:
    return max(1.0, ImageStat.Stat(band).mean[0])


def _excess(band: Image.Image, other: Image.Image) -> int:
    """By how much the second is out of the first's range where it is most."""
    above = ImageChops.subtract(other, band.filter(ImageFilter.MaxFilter(3)))
    below = ImageChops.subtract(band.filter(ImageFilter.MinFilter(3)), other)
    excess = ImageChops.add(above, below)
    if band.width == SIDE:
        excess = excess.reduce(BLOCK)
    return max(excess.tobytes())
