"""ICC profiles: what their colours are in sRGB, by LittleCMS, and profiles made of numbers.

A profile is a stranger's file: one that LittleCMS cannot use is ignored, as browsers do.
"""

from __future__ import annotations

import hashlib
import io
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageCms

Point = tuple[float, float]
"""CIE x, y."""
Curve = tuple[float, float, float, float, float]
"""g, a, b, c, d: the light of a sample x is (a x + b) ** g from d on, and c x below."""
Matrix = Sequence[Sequence[float]]

SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
MOST_NAME = 60
"""Characters of a profile's description that go into the record."""
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""By the colour space of a profile: Pillow's mode of the pixels that it describes."""
_KINDS = {"scnr", "mntr", "prtr", "spac"}
_ALIKE = 2
"""Levels of 255 by which the colours of a profile that is as good as sRGB may differ from it."""
_MOST_KEPT = 4
"""Transforms in memory: up to 2 MB each, for CMYK."""
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_D50 = (0.9642, 1.0, 0.8249)
_kept: dict[bytes, Conversion | None] = {}
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Conversion:
    """How pixels of `mode` ("RGB", "L" or "CMYK") become RGB in sRGB.

    `name` is that of their colour space, for the record. It is "sRGB" if they are as good as that
    already, and only then. `to_srgb` is safe in several threads at once.
    """

    name: str
    mode: str
    to_srgb: Callable[[Image.Image], Image.Image]


def conversion(icc: bytes) -> Conversion | None:
    """By a profile, which is read once for the same bytes; None if it is of no use. The name is its
    description, cleaned."""
    key = hashlib.sha256(icc).digest()
    with _lock:
        if key in _kept:
            return _kept[key]
    try:
        made = _read(icc)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        made = None
    with _lock:
        if len(_kept) >= _MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = made
    return made


def matrix_profile(primaries: Sequence[Point], white: Point, curve: Curve) -> bytes:
    """A profile of RGB with these primaries (red, green, blue), white point and curve."""
    numbers = b"para\0\0\0\0\0\3\0\0" + _fixed(curve)
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(_D50)}
    columns = zip(*rgb_to_xyz(primaries, white), strict=True)
    for letter, column in zip((b"r", b"g", b"b"), columns, strict=True):
        tags[letter + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(column)
        tags[letter + b"TRC"] = numbers
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">2I", at + len(body), len(data))
        body += data
    header = struct.pack(">I4s4s12s", at + len(body), b"", b"\4", b"mntrRGB XYZ ")
    header = (header.ljust(36, b"\0") + b"acsp").ljust(68, b"\0") + _fixed(_D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def multiplied(matrix: Matrix, vector: Sequence[float]) -> tuple[float, ...]:
    """The matrix times the vector."""
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def inverse(matrix: Matrix) -> Matrix:
    """The inverse of a 3 x 3 matrix. Raises ZeroDivisionError if there is none."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    return [[value / determinant for value in row] for row in cofactors]


def rgb_to_xyz(primaries: Sequence[Point], white: Point) -> Matrix:
    """The 3 x 3 matrix from linear RGB to XYZ, adapted (as Bradford did) from its white point to
    that of profiles, D50. Raises ZeroDivisionError for what is no space."""
    rows = list(zip(*(_xyz(point) for point in primaries), strict=True))
    amounts = multiplied(inverse(rows), _xyz(white))
    wanted, found = multiplied(_BRADFORD, _D50), multiplied(_BRADFORD, _xyz(white))
    columns = []
    for column in zip(*rows, strict=True):
        cones = multiplied(_BRADFORD, column)
        adapted = [cone * to / of for cone, to, of in zip(cones, wanted, found, strict=True)]
        columns.append(multiplied(inverse(_BRADFORD), adapted))
    return [
        [a * b for a, b in zip(row, amounts, strict=True)] for row in zip(*columns, strict=True)
    ]


def _read(icc: bytes) -> Conversion | None:
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    space, kind = source.profile.xcolor_space, source.profile.device_class
    mode = _MODES.get(space)
    if mode is None or kind not in _KINDS:
        return None
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    flags = _FLAGS | ImageCms.Flags.NOOPTIMIZE if mode == "L" else _FLAGS
    transform = ImageCms.ImageCmsTransform(source, target, mode, "RGB", _INTENT, flags=flags)
    to_srgb = _grey(transform) if mode == "L" else transform.apply
    if mode != "CMYK" and _is_srgb(mode, to_srgb):
        return Conversion("sRGB", mode, to_srgb)
    name = _cleaned(source.profile.profile_description or "")
    if name in {"", "sRGB"}:
        name = f"{space.strip()} profile"
    return Conversion(name, mode, to_srgb)


def _grey(transform: ImageCms.ImageCmsTransform) -> Callable[[Image.Image], Image.Image]:
    """The same by a table: exact, where LittleCMS interpolates between a few points of a curve."""
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    table = [*transform.apply(ramp).getchannel("G").tobytes()]
    return lambda pixels: pixels.point(table).convert("RGB")


def _is_srgb(mode: str, to_srgb: Callable[[Image.Image], Image.Image]) -> bool:
    """Whether a grid of colours stays as it is."""
    levels, coarse = range(0, 256, 17), range(0, 256, 51)
    colours = Image.frombytes("L", (len(levels), 1), bytes(levels))
    if mode == "RGB":
        grid = bytes(v for r in coarse for g in coarse for b in levels for v in (r, g, b))
        colours = Image.frombytes("RGB", (len(grid) // 3, 1), grid)
    change = ImageChops.difference(to_srgb(colours), colours.convert("RGB"))
    return max(change.tobytes()) <= _ALIKE


def _cleaned(text: str) -> str:
    """Printable text on one line, not too long: it is a stranger's."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * MOST_NAME])
    return " ".join(shown.split())[:MOST_NAME].strip()


def _xyz(point: Point) -> tuple[float, float, float]:
    """XYZ of a chromaticity, X + Y + Z = 1 but for white, whose Y is 1."""
    x, y = point
    return (x / y, 1.0, (1 - x - y) / y)


def _fixed(numbers: Sequence[float]) -> bytes:
    """Numbers as s15Fixed16Number."""
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))
