"""Samples of a TIFF, of any size and layout: what Pillow has no mode for, or reads wrongly.

Bytes are picked, shifted and masked in bulk: the loops over single samples are in C, but for
predictors and 32-bit whole numbers.
"""

from __future__ import annotations

import io
import math
import struct
import sys
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from PIL import Image, ImageChops

from captioning.images.formats.tags import (
    BITS,
    COMPRESSION,
    COUNTS,
    EXTRA,
    FILL_ORDER,
    HEIGHT,
    PHOTOMETRIC,
    PLANAR,
    PREDICTOR,
    ROWS,
    SAMPLE_FORMAT,
    SAMPLES,
    STRIPS,
    SUBSAMPLING,
    TILE_COUNTS,
    TILE_HEIGHT,
    TILE_WIDTH,
    TILES,
    WIDTH,
    Directory,
)
from captioning.images.samples import bytes_of_floats

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK, YCBCR, LAB, ICC_LAB = 0, 1, 2, 5, 6, 8, 9
RAW, LZW, DEFLATE, OLD_DEFLATE, PACK_BITS = 1, 5, 8, 32946, 32773
UNPACKED = frozenset({RAW, LZW, DEFLATE, OLD_DEFLATE, PACK_BITS})
_COLORS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, CMYK: 4, YCBCR: 3, LAB: 3, ICC_LAB: 3}
_MODES = {WHITE_IS_ZERO: "L", BLACK_IS_ZERO: "L", RGB: "RGB", CMYK: "CMYK"}
_MODES |= {YCBCR: "YCbCr", LAB: "LAB", ICC_LAB: "LAB"}
_KINDS = {3: "a palette", 4: "a mask", 10: "ITU Lab colours", 32803: "a sensor's samples"}
_MOST_BLOCK = 1 << 30
_ROWS_AT_ONCE = 64
"""A strip may be the whole picture, and samples take several times their memory on the way."""
_MOST_SAMPLES = 64
_ASSOCIATED, _UNASSOCIATED = 1, 2
_MIRRORED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_NATIVE = "<" if sys.byteorder == "little" else ">"


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a page lie in the file. Sizes are pixels; `bits` has one entry for each
    size of sample that occurs."""

    order: str
    width: int
    height: int
    bits: tuple[int, ...]
    samples: int
    sample_format: int
    photometric: int
    planar: bool
    compression: int
    predictor: int
    extra: tuple[int, ...]
    mirrored: bool
    block: tuple[int, int]
    is_tiled: bool

    @classmethod
    def of(cls, page: Directory) -> Layout:
        """The layout that the tags of a page tell."""
        width, height = page.size
        tiled = bool(page.numbers(TILES))
        tile = page.number(TILE_WIDTH), page.number(TILE_HEIGHT)
        formats = set(page.numbers(SAMPLE_FORMAT, (1,)))
        return cls(
            page.order,
            width,
            height,
            tuple(sorted(set(page.numbers(BITS, (1,))))),
            page.number(SAMPLES, 1),
            formats.pop() if len(formats) == 1 else 0,
            page.number(PHOTOMETRIC),
            page.number(PLANAR, 1) == 2,
            page.number(COMPRESSION, 1),
            page.number(PREDICTOR, 1),
            page.numbers(EXTRA),
            page.number(FILL_ORDER, 1) == 2,
            tile if tiled else (width, min(height, page.number(ROWS, height) or height)),
            tiled,
        )

    @property
    def mode(self) -> str:
        """Pillow's mode of the page without its alpha channel."""
        return _MODES.get(self.photometric, "RGB")

    @property
    def memory(self) -> int:
        """Bytes a pixel that `pixels_of` and what follows allocate at most, as measured."""
        return self.samples * (self.bits[0] // 8 + 4) + 10

    @property
    def together(self) -> int:
        """Samples of a pixel that lie side by side."""
        return 1 if self.planar else self.samples

    @property
    def row(self) -> int:
        """Bytes of a row of a block."""
        return (self.block[0] * self.together * self.bits[0] + 7) // 8


def unread_layout(layout: Layout) -> str:
    """What kind of TIFF it is, in words, if none that `pixels_of` reads; else ""."""
    bits = layout.bits[0]
    if layout.photometric not in _COLORS:
        kind = _KINDS.get(layout.photometric, f"colours of kind {layout.photometric}")
        return f"a TIFF of {kind} with {bits}-bit samples"
    if len(layout.bits) > 1 or layout.sample_format == 0:
        return "a TIFF with samples of several sizes"
    if layout.sample_format not in {UNSIGNED, SIGNED, FLOAT}:
        return "a TIFF of complex numbers"
    if layout.sample_format == FLOAT and bits not in {16, 32, 64}:
        return f"a TIFF of {bits}-bit floating-point numbers"
    if layout.sample_format == SIGNED and bits not in {8, 16, 32}:
        return f"a TIFF of {bits}-bit signed numbers"
    if not (0 < bits <= 16 or bits in {24, 32, 64}) or layout.predictor not in {1, 2, 3}:
        return f"a TIFF with {bits}-bit samples"
    if layout.photometric in {LAB, ICC_LAB} and (layout.sample_format != UNSIGNED and bits != 16):
        return "a TIFF of Lab colours in floating-point numbers"
    if not _COLORS[layout.photometric] <= layout.samples <= _MOST_SAMPLES:
        return f"a TIFF with {layout.samples} samples a pixel"
    return ""


def pixels_of(data: bytes, page: Directory, layout: Layout) -> Image.Image:
    """The page with 8 bits a sample. Raises OSError, ValueError or zlib.error if it is broken."""
    if layout.photometric == YCBCR and layout.compression == RAW and not layout.planar:
        across, down = page.numbers(SUBSAMPLING, (2, 2))[:2]
        if (across, down) != (1, 1):
            return _subsampled(data, page, layout, across, down)
    bands = _bands(data, page, layout)
    colors = _COLORS[layout.photometric]
    alpha, kind = None, next(iter(layout.extra), 0)
    if len(bands) > colors and kind in {_ASSOCIATED, _UNASSOCIATED}:
        alpha = bytes_of_floats([bands[colors]], is_alpha=True)[0]
    return _composed(layout, bytes_of_floats(bands[:colors]), alpha, associated=kind == _ASSOCIATED)


def _composed(
    layout: Layout, bands: list[Image.Image], alpha: Image.Image | None, *, associated: bool
) -> Image.Image:
    """The bands as an image of a mode that Pillow converts to RGB."""
    if layout.photometric == WHITE_IS_ZERO:
        bands = [ImageChops.invert(band) for band in bands]
    if layout.photometric == LAB:  # its a and b are signed
        bands = [bands[0], *(band.point(lambda level: level ^ 128) for band in bands[1:])]
    if layout.photometric == CMYK and alpha is not None and not associated:
        bands = [ImageChops.multiply(band, alpha) for band in bands]  # no ink is white
    mode = layout.mode
    if alpha is None or mode not in {"L", "RGB"}:
        return Image.merge(mode, bands)
    if mode == "L":
        image = Image.merge("La" if associated else "LA", [*bands, alpha])
        return image.convert("LA")
    return Image.merge("RGBa" if associated else "RGBA", [*bands, alpha]).convert("RGBA")


def _bands(data: bytes, page: Directory, layout: Layout) -> list[Image.Image]:
    """One image for each sample of a pixel: of mode L, or F where the numbers are not a share of
    a known range."""
    mode = "L" if layout.sample_format == UNSIGNED and layout.bits[0] <= 24 else "F"
    bands = [
        Image.new(mode, (layout.width, layout.height))
        for _ in range(min(layout.samples, _COLORS[layout.photometric] + 1))
    ]
    for first, x, y, block in _blocks(data, page, layout):
        for start in range(0, len(block), _ROWS_AT_ONCE * layout.row):
            part = block[start : start + _ROWS_AT_ONCE * layout.row]
            for number in range(min(layout.together, len(bands) - first)):
                samples = _picked(part, layout, number, len(part) // layout.row)
                bands[first + number].paste(samples, (x, y + start // layout.row))
    return bands


def _blocks(data: bytes, page: Directory, layout: Layout) -> Iterator[tuple[int, int, int, bytes]]:
    """Of each strip or tile: the number of its first sample, its place, and its bytes."""
    offsets = page.numbers(TILES if layout.is_tiled else STRIPS)
    counts = page.numbers(TILE_COUNTS if layout.is_tiled else COUNTS)
    wide, high = layout.block
    if wide <= 0 or high <= 0 or layout.row * high > _MOST_BLOCK:
        raise OSError("tiles of this size are not read")
    places = [(x, y) for y in range(0, layout.height, high) for x in range(0, layout.width, wide)]
    planes = layout.samples if layout.planar else 1
    if len(offsets) < len(places) * planes:
        raise OSError("strips are missing")
    for index in range(len(places) * planes):
        plane, place = divmod(index, len(places))
        x, y = places[place]
        needed = layout.row * min(high, layout.height - y)
        expected = layout.row * high if layout.is_tiled else needed
        count = counts[index] if index < len(counts) and counts[index] else expected
        stored = data[offsets[index] : offsets[index] + count]
        block = _unpacked(stored, layout, expected)
        if len(block) < needed:  # what is missing of a tile may lie below the picture
            raise OSError("a strip is too short")
        yield plane, x, y, _unpredicted(block.ljust(expected, b"\0")[:expected], layout)


def _unpacked(stored: bytes, layout: Layout, expected: int) -> bytes:
    if layout.mirrored:
        stored = stored.translate(_MIRRORED)
    if layout.compression == RAW:
        return stored
    if layout.compression == LZW:
        return _unpacked_lzw(stored, expected)
    if layout.compression == PACK_BITS:
        return Image.frombytes("L", (expected, 1), stored, "packbits", "L").tobytes()
    return zlib.decompressobj().decompress(stored, expected)


def _unpacked_lzw(stored: bytes, expected: int) -> bytes:
    """By libtiff, which gets a TIFF with one row of bytes."""
    tags = {WIDTH: expected, HEIGHT: 1, BITS: 8, COMPRESSION: LZW, PHOTOMETRIC: BLACK_IS_ZERO}
    tags |= {STRIPS: 8, SAMPLES: 1, ROWS: 1, COUNTS: len(stored)}
    start = 8 + len(stored) + len(stored) % 2
    body = stored + bytes(len(stored) % 2)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    file = struct.pack("<2sHI", b"II", 42, start) + body + struct.pack("<H", len(tags)) + entries
    with Image.open(io.BytesIO(file + bytes(4)), formats=["TIFF"]) as image:
        return image.tobytes()


def _unpredicted(block: bytes, layout: Layout) -> bytes:
    """The bytes with the differences between neighbours added up."""
    if layout.predictor == 1:
        return block
    size, step = layout.bits[0] // 8, layout.together
    undo = _summed if layout.predictor == 2 else _summed_floats
    rows = (block[at : at + layout.row] for at in range(0, len(block), layout.row))
    return b"".join(undo(row, size, step, layout.order) for row in rows)


def _summed(row: bytes, size: int, step: int, order: str) -> bytes:
    values = array({1: "B", 2: "H", 4: "I", 8: "Q"}[size], row)
    if order != _NATIVE:
        values.byteswap()
    most = (1 << 8 * size) - 1
    for first in range(step):
        sums = accumulate(values[first::step], lambda one, other: one + other & most)
        values[first::step] = array(values.typecode, sums)
    if order != _NATIVE:
        values.byteswap()
    return values.tobytes()


def _summed_floats(row: bytes, size: int, step: int, order: str) -> bytes:
    """The bytes of all numbers lie side by side, the highest ones first."""
    summed = _summed(row, 1, step, _NATIVE)
    count, result = len(row) // size, bytearray(len(row))
    for place in range(size):
        target = place if order == ">" else size - 1 - place
        result[target::size] = summed[place * count : (place + 1) * count]
    return bytes(result)


def _picked(block: bytes, layout: Layout, number: int, rows: int) -> Image.Image:
    """One sample of each pixel of a block."""
    bits, step, size = layout.bits[0], layout.together, (layout.block[0], rows)
    if layout.sample_format == UNSIGNED and bits <= 24:
        if bits % 8 == 0:
            top = number * bits // 8 + (bits // 8 - 1 if layout.order == "<" else 0)
            return Image.frombytes("L", size, block[top :: step * bits // 8])
        return Image.frombytes("L", size, _from_bits(block, layout, rows)[number::step])
    half = layout.sample_format == FLOAT and bits == 16
    if half:
        values = array("f", struct.unpack(f"{layout.order}{len(block) // 2}e", block))
        return Image.frombytes("F", size, values[number::step].tobytes())
    codes = {FLOAT: {32: "f", 64: "d"}, SIGNED: {8: "b", 16: "h", 32: "i"}}
    code = codes.get(layout.sample_format, {32: "I", 64: "Q"})[bits]
    stored: array[Any] = array(code, block)
    if layout.order != _NATIVE:
        stored.byteswap()
    picked = stored[number::step]
    if layout.sample_format == UNSIGNED:  # as a share of all values, unless only few are used
        most = (1 << bits) - 1
        picked = array("d", (value / most for value in picked))
    floats = picked if picked.typecode == "f" else array("f", map(_single, picked))
    return Image.frombytes("F", size, floats.tobytes())


def _single(value: float) -> float:
    """The number, if it fits into 32 bits; else infinity."""
    return value if -3.4e38 < value < 3.4e38 else math.inf


def _from_bits(block: bytes, layout: Layout, rows: int) -> bytes:
    """Samples that are no whole bytes, as bytes, row after row. After some samples a byte begins
    anew: the first ones of all such groups are made at once, then the second ones."""
    bits, across = layout.bits[0], layout.block[0] * layout.together
    group, length = 8 // math.gcd(bits, 8), bits // math.gcd(bits, 8)
    padded = -(-layout.row // length) * length
    if padded != layout.row:
        starts = range(0, len(block), layout.row)
        block = b"".join(block[at : at + layout.row].ljust(padded, b"\0") for at in starts)
    most = (1 << min(bits, 8)) - 1
    scaled = bytes((value & most) * 255 // most for value in range(256))
    samples = bytearray(len(block) // length * group)
    for place in range(group):
        first, offset = divmod(place * bits, 8)
        kept = 8 - min(bits, 8) - offset
        high = block[first::length].translate(
            bytes((value << -kept if kept < 0 else value >> kept) & 255 for value in range(256))
        )
        value = int.from_bytes(high, "little")
        if kept < 0:
            low = block[first + 1 :: length].translate(
                bytes(value >> 8 + kept for value in range(256))
            )
            value |= int.from_bytes(low, "little")
        samples[place::group] = value.to_bytes(len(high), "little").translate(scaled)
    whole = padded // length * group
    if whole == across:
        return bytes(samples)
    return b"".join(samples[at : at + across] for at in range(0, whole * rows, whole))


def _subsampled(
    data: bytes, page: Directory, layout: Layout, across: int, down: int
) -> Image.Image:
    """Colours at fewer places than brightness: units of `across` x `down` levels of brightness,
    and two of colour."""
    if {across, down} - {1, 2, 4} or layout.bits != (8,) or layout.samples != 3:
        raise OSError("colours at such places are not read")
    unit = across * down + 2
    wide, high = layout.block
    units = -(-wide // across)
    offsets = page.numbers(TILES if layout.is_tiled else STRIPS)
    image = Image.new("YCbCr", (layout.width, layout.height))
    places = [(x, y) for y in range(0, layout.height, high) for x in range(0, layout.width, wide)]
    if len(offsets) < len(places):
        raise OSError("strips are missing")
    for offset, (x, y) in zip(offsets, places, strict=False):
        lines = -(-(high if layout.is_tiled else min(high, layout.height - y)) // down)
        block = data[offset : offset + units * lines * unit]
        if len(block) < units * lines * unit:
            raise OSError("a strip is too short")
        bright = bytearray(units * across * lines * down)
        for number in range(across * down):
            row, column = divmod(number, across)
            levels = block[number::unit]
            for line in range(lines):
                start = (line * down + row) * units * across
                part = levels[line * units : (line + 1) * units]
                bright[start + column : start + units * across : across] = part
        size = (units * across, lines * down)
        tints = (
            Image.frombytes("L", (units, lines), block[at::unit]) for at in (unit - 2, unit - 1)
        )
        bands = [Image.frombytes("L", size, bytes(bright)), *(tint.resize(size) for tint in tints)]
        image.paste(Image.merge("YCbCr", bands), (x, y))
    return image
