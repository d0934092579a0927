"""Colours that a file names by numbers: code points of ITU-T H.273 (CICP, nclx), gamma, primaries.

PQ and HLG are tone-mapped as Chromium does for a display without headroom: by SMPTE ST 2094-50,
annex D, with white at 203 nits. That depends on the largest of three samples, which no profile can
say; hence a table.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from PIL import ImageFilter

from captioning.images.color_profiles import (
    SRGB_CURVE,
    Conversion,
    Curve,
    Point,
    conversion,
    inverse,
    matrix_profile,
    multiplied,
    rgb_to_xyz,
)

D65: Point = (0.3127, 0.3290)
_C: Point = (0.310, 0.316)
Levels = tuple[float, float, float]
Primaries = tuple[str, tuple[Point, Point, Point], Point]
"""Name; red, green and blue; white."""
PRIMARIES: dict[int, Primaries] = {
    1: ("", ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)), D65),
    4: ("BT.470 M", ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08)), _C),
    5: ("BT.601 625", ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)), D65),
    6: ("BT.601 525", ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)), D65),
    7: ("BT.601 525", ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)), D65),
    8: ("film", ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049)), _C),
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), D65),
    11: ("DCI-P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), (0.314, 0.351)),
    12: ("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), D65),
    22: ("EBU 3213", ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077)), D65),
}
_VIDEO = ("gamma 2.4", (2.4, 1, 0, 0, 0))  # as displays do it (BT.1886), not cameras
CURVES: dict[int, tuple[str, Curve]] = {
    **dict.fromkeys((1, 6, 14, 15), _VIDEO),
    4: ("gamma 2.2", (2.2, 1, 0, 0, 0)),
    5: ("gamma 2.8", (2.8, 1, 0, 0, 0)),
    7: ("SMPTE 240M", (1 / 0.45, 1 / 1.1115, 0.1115 / 1.1115, 1 / 4, 0.0913)),
    8: ("gamma 1.0", (1, 1, 0, 0, 0)),
    13: ("", SRGB_CURVE),
    17: ("gamma 2.6", (2.6, (52.37 / 48) ** (1 / 2.6), 0, 0, 0)),
}
VIDEO_CURVES, UNSPECIFIED = frozenset({1, 6, 14, 15}), 2
SRGB, PQ, HLG = 13, 16, 18
WHITE_NITS, PEAK_NITS = 203.0, 1000.0
"""Of a picture's white, and of its brightest pixels unless the file says otherwise."""
NOTHING = (0.0, 0.0, 0.0)
CUT_OFF = {True: (0.5, -0.4, 0.8), False: (1.0, 0.1, 1.1)}
"""By whether its range is full: what an AVIF of 10 or 12 bits lacks in red, green and blue, in
levels of 255. Its decoder cuts off the low bits of Y, Cb and Cr instead of rounding them. PQ is so
steep that it shows. See findings/pillow-avif-low-bits.sh."""
_GRID = 33


def by_codes(
    primaries: int, transfer: int, peak: float = PEAK_NITS, lack: Levels = NOTHING
) -> Conversion | None:
    """The colours of these code points; `peak` in nits. None for unknown ones. `lack` is added to
    the samples of PQ and HLG."""
    primaries = 1 if primaries == UNSPECIFIED else primaries
    transfer = SRGB if transfer == UNSPECIFIED else transfer
    if primaries not in PRIMARIES:
        return None
    of_primaries, points, white = PRIMARIES[primaries]
    if transfer in {PQ, HLG}:
        name = "PQ" if transfer == PQ else "HLG"
        table = _tone_mapped(transfer, points, white, _rough(peak), lack)
        return Conversion(
            f"{name} {of_primaries or 'BT.709'}", "RGB", lambda pixels: pixels.filter(table)
        )
    if transfer not in CURVES:
        return None
    of_curve, curve = CURVES[transfer]
    return _shaped(f"{of_curve} {of_primaries}".strip(), points, white, curve)


def by_gamma(
    gamma: float, points: tuple[Point, Point, Point] | None, white: Point
) -> Conversion | None:
    """The colours of samples that are light ** `gamma`; None for what cannot be."""
    if not 0.05 <= gamma <= 20:
        return None
    curve: Curve = (1 / gamma, 1, 0, 0, 0)
    name = f"gamma {round(1 / gamma, 2)}"
    if points is None:
        return _shaped(name, PRIMARIES[1][1], D65, curve)
    known = (
        of
        for of, these, its_white in PRIMARIES.values()
        if _near((*these, its_white), (*points, white))
    )
    return _shaped(f"{name} {next(known, 'own primaries')}".strip(), points, white, curve)


def _near(some: Sequence[Point], others: Sequence[Point]) -> bool:
    pairs = zip(some, others, strict=True)
    return all(math.dist(one, other) < 0.002 for one, other in pairs)


def _shaped(
    name: str, points: tuple[Point, Point, Point], white: Point, curve: Curve
) -> Conversion | None:
    try:
        made = conversion(matrix_profile(points, white, curve))
    except (ZeroDivisionError, struct.error):  # primaries on a line or at 0: no such space
        return None
    return made if made is None or made.name == "sRGB" else replace(made, name=name)


def _rough(nits: float) -> float:
    """Two digits, so that few tables serve for all files."""
    return float(f"{min(max(nits, 1.0), 10_000.0):.1e}")


@lru_cache(maxsize=8)
def _tone_mapped(
    transfer: int, points: tuple[Point, Point, Point], white: Point, peak: float, lack: Levels
) -> ImageFilter.Color3DLUT:
    """From PQ or HLG samples to sRGB; takes 0.1 s to make."""
    (rr, rg, rb), (gr, gg, gb), (br, bg, bb) = _between(points, white, 9)
    to_srgb = _between(*PRIMARIES[9][1:], 1)
    steps = [step / (_GRID - 1) for step in range(_GRID)]
    to_light = _pq_light if transfer == PQ else _hlg_light
    reds, greens, blues = (
        {step: to_light(min(max(step + more / 255, 0), 1)) for step in steps} for more in lack
    )
    gain = _gains(peak / WHITE_NITS)

    def shown(red: float, green: float, blue: float) -> tuple[float, ...]:
        r, g, b = reds[red], greens[green], blues[blue]
        r, g, b = rr * r + rg * g + rb * b, gr * r + gg * g + gb * b, br * r + bg * g + bb * b
        scale = 1.0
        if transfer == HLG:  # the system gamma of a display of 1,000 nits
            luminance = max(0.2627 * r + 0.6780 * g + 0.0593 * b, 0.0)
            scale = luminance**0.2 * 1000 / WHITE_NITS
        scale *= gain(scale * max(r, g, b))
        return tuple(_srgb_sample((x * r + y * g + z * b) * scale) for x, y, z in to_srgb)

    return ImageFilter.Color3DLUT.generate(_GRID, shown)


def _between(
    points: tuple[Point, Point, Point], white: Point, target: int
) -> Sequence[Sequence[float]]:
    """The matrix from linear RGB of these primaries to those of a code point."""
    columns = zip(*rgb_to_xyz(points, white), strict=True)
    back = inverse(rgb_to_xyz(*PRIMARIES[target][1:]))
    return list(zip(*(multiplied(back, column) for column in columns), strict=True))


def _gains(most: float) -> Callable[[float], float]:
    """The factor for a pixel by its largest sample, white being 1 and the brightest `most`.

    What is not brighter than white is darkened to as little as a half; a curve (of second degree,
    by a parameter t) leads on from there, and `most` becomes white.
    """
    if most <= 1:
        return lambda _: 1.0
    knee = 1 - 0.5 * min(math.log2(most) / math.log2(PEAK_NITS / WHITE_NITS), 1)
    middle_x, middle_y = 0.35 + 0.65 / knee, 0.35 * knee + 0.65
    square, slope = 1 - 2 * middle_x + most, 2 * middle_x - 2

    def gain(largest: float) -> float:
        if largest <= 1:
            return knee
        if largest >= most:
            return 1 / largest
        root = math.sqrt(slope * slope + 4 * square * (largest - 1))
        t = 2 * (largest - 1) / (slope + root)
        return (knee + t * (2 * (middle_y - knee) + t * (knee - 2 * middle_y + 1))) / largest

    return gain


def _pq_light(sample: float) -> float:
    """SMPTE ST 2084, white being 1."""
    root = sample ** (32 / 2523)
    ratio = max(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
    return float(ratio ** (16384 / 2610) * 10_000 / WHITE_NITS)


def _hlg_light(sample: float) -> float:
    """The scene light of ARIB STD-B67, from 0 to 1."""
    if sample <= 0.5:
        return sample * sample / 3
    return (math.exp((sample - 0.55991073) / 0.17883277) + 0.28466892) / 12


def _srgb_sample(light: float) -> float:
    cut = min(max(light, 0.0), 1.0)
    return cut * 12.92 if cut <= 0.0031308 else 1.055 * cut ** (1 / 2.4) - 0.055
