"""Whether two pictures are near-identical frames, by sketches of their previews.

The hash is a difference hash: one bit for each of 8 x 8 cells, set if the cell is darker than the
next. It only finds candidates: two signs with different text may have the same hash. The pixels
decide, cell by cell: each must lie between the darkest and the brightest of the cells around it in
the other picture. That allows for a hand that moves a little, and not for an object that appears or
disappears. Pillow does all of it; ImageHash would bring numpy, scipy and PyWavelets into the app.
"""

from __future__ import annotations

from PIL import Image, ImageChops, ImageFilter, ImageStat

from captioning.images.sketch import Sketch

SIDE, COLOUR_SIDE, BLOCK = 64, 16, 4
"""Cells per side of brightness and of colour; cells of brightness per side of a compared block."""
MOST_EXCESS = 12
"""Levels of 255 by which a block, or the colour of a cell, may be outside the other's range."""
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
    """Whether the sketches are of near-identical frames."""
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
    """The bands of a sketch: brightness and the two colours."""
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
    """The largest amount by which the second band is outside the first one's range."""
    above = ImageChops.subtract(other, band.filter(ImageFilter.MaxFilter(3)))
    below = ImageChops.subtract(band.filter(ImageFilter.MinFilter(3)), other)
    excess = ImageChops.add(above, below)
    if band.width == SIDE:
        excess = excess.reduce(BLOCK)
    return max(excess.tobytes())
