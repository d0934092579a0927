"""ICC profiles for tests, packed byte by byte, and what their colours are by the formulas."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float64]
"""Height x width x samples; RGB and grey from 0 to 1."""
Point = tuple[float, float]
"""CIE x, y."""

D50 = np.array([0.9642, 1.0, 0.8249])
D65: Point = (0.3127, 0.3290)
SRGB_PRIMARIES: tuple[Point, ...] = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


@dataclass(frozen=True)
class MatrixSpace:
    """An RGB space of three primaries (red, green, blue), a white point and a curve.

    The curve is a gamma, or "sRGB".
    """

    name: str
    primaries: tuple[Point, ...] = SRGB_PRIMARIES
    white: Point = D65
    gamma: float | str = "sRGB"

    def to_xyz(self) -> Pixels:
        """The 3 x 3 matrix from linear RGB to XYZ under D50."""
        columns = np.array([_xyz(point) for point in self.primaries]).T
        white = _xyz(self.white)
        matrix = columns * np.linalg.solve(columns, white)
        cones = _BRADFORD @ D50 / (_BRADFORD @ white)
        return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ matrix)

    def linear(self, samples: Pixels) -> Pixels:
        """The light that the samples stand for."""
        if self.gamma == "sRGB":
            low, high = samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4
            return np.where(samples <= 0.04045, low, high)
        return samples ** float(self.gamma)

    def encoded(self, light: Pixels) -> Pixels:
        """The samples for this light, cut to 0..1."""
        cut = np.clip(light, 0, 1)
        if self.gamma == "sRGB":
            return np.where(cut <= 0.0031308, cut * 12.92, 1.055 * cut ** (1 / 2.4) - 0.055)
        return cut ** (1 / float(self.gamma))

    def converted(self, samples: Pixels, to: MatrixSpace) -> Pixels:
        """The same colours as samples of another space, what is out of its gamut cut off."""
        matrix = np.linalg.inv(to.to_xyz()) @ self.to_xyz()
        return to.encoded(self.linear(samples) @ matrix.T)

    def profile(self, version: int = 4, code_points: tuple[int, int] | None = None) -> bytes:
        """The ICC profile, of version 2 or 4; `code_points` go into a tag of their own."""
        curve = _srgb_curve(version) if self.gamma == "sRGB" else gamma_curve(float(self.gamma))
        tags = {b"wtpt": _xyz_tag(D50)}
        for letter, column in zip(b"rgb", self.to_xyz().T, strict=True):
            tags[bytes([letter]) + b"XYZ"] = _xyz_tag(column)
            tags[bytes([letter]) + b"TRC"] = curve
        if code_points:
            tags[b"cicp"] = b"cicp\0\0\0\0" + bytes([*code_points, 0, 1])
        return icc(b"RGB ", b"XYZ ", tags, self.name, version)


SRGB = MatrixSpace("An sRGB of our own")
DISPLAY_P3 = MatrixSpace("Display P3", ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)))
ADOBE = MatrixSpace("Adobe-like RGB", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), gamma=563 / 256)
PROPHOTO = MatrixSpace(
    "ProPhoto-like RGB",
    ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)),
    white=(0.34567, 0.35850),
    gamma=1.8,
)
WIDE_GAMUT = MatrixSpace(
    "Wide gamut RGB",
    ((0.7347, 0.2653), (0.1152, 0.8264), (0.1566, 0.0177)),
    white=(0.34567, 0.35850),
    gamma=2.2,
)
APPLE = MatrixSpace("Apple-like RGB", ((0.625, 0.34), (0.28, 0.595), (0.155, 0.07)), gamma=1.8)
SWAPPED = MatrixSpace("Swapped red and green", (*SRGB_PRIMARIES[1::-1], SRGB_PRIMARIES[2]))
LINEAR = MatrixSpace("Linear RGB", gamma=1.0)
SPACES = (SRGB, DISPLAY_P3, ADOBE, PROPHOTO, WIDE_GAMUT, APPLE, SWAPPED, LINEAR)


def gray_profile(gamma: float, version: int = 4) -> bytes:
    """A profile for one grey sample."""
    tags = {b"wtpt": _xyz_tag(D50), b"kTRC": gamma_curve(gamma)}
    return icc(b"GRAY", b"XYZ ", tags, f"Grey, gamma {gamma}", version)


def cmyk_profile(*, sixteen_bit: bool = True) -> bytes:
    """A printer whose inks are less pure than the numbers: 5 nodes an ink, to Lab."""
    nodes = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * 4, indexing="ij"), -1)
    lab = printed(nodes.reshape(-1, 4))
    scaled = np.stack([lab[:, 0] / 100, (lab[:, 1] + 128) / 255, (lab[:, 2] + 128) / 255], 1)
    header = struct.pack(">4B", 4, 3, 5, 0) + struct.pack(
        ">9i", *(np.eye(3).ravel() * 65536).astype(int)
    )
    if sixteen_bit:  # version 2 has 65,280 for 100 %
        table = np.round(scaled * 65280).astype(">u2").tobytes()
        ramp = struct.pack(">2H", 0, 65535)
        lut = b"mft2\0\0\0\0" + header + struct.pack(">2H", 2, 2) + ramp * 4 + table + ramp * 3
    else:
        table = np.round(scaled * 255).astype("u1").tobytes()
        lut = b"mft1\0\0\0\0" + header + bytes(range(256)) * 4 + table + bytes(range(256)) * 3
    tags = {b"wtpt": _xyz_tag(D50), b"A2B0": lut, b"A2B1": lut}
    return icc(b"CMYK", b"Lab ", tags, "A printer", 2, b"prtr")


def printed(inks: Pixels) -> Pixels:
    """Lab of inks from 0 to 1 on that printer, n x 4 to n x 3."""
    cyan, magenta, yellow, black = (inks[:, [i]] for i in range(4))
    light = (
        (1 - cyan * (1 - np.array([0.02, 0.35, 0.75])))
        * (1 - magenta * (1 - np.array([0.70, 0.03, 0.25])))
        * (1 - yellow * (1 - np.array([0.95, 0.85, 0.03])))
        * (1 - black * 0.97)
    )
    return xyz_to_lab(light @ SRGB.to_xyz().T)


def xyz_to_lab(xyz: Pixels) -> Pixels:
    """CIELAB of XYZ under D50, on the last axis."""
    ratio = xyz / D50
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def icc(
    space: bytes,
    connection: bytes,
    tags: Mapping[bytes, bytes],
    description: str,
    version: int = 4,
    kind: bytes = b"mntr",
) -> bytes:
    """A profile of these tags and a description."""
    every = {b"desc": _description(description, version), **tags}
    start, table, body = 128 + 4 + 12 * len(every), b"", b""
    for name, data in every.items():
        table += name + struct.pack(">2I", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, version << 24, kind, space, connection)
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28
    header += struct.pack(">3i", *(round(value * 65536) for value in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(every)) + table + body


def gamma_curve(gamma: float) -> bytes:
    """A `curv` of one gamma; of none for a linear one."""
    if gamma == 1.0:
        return b"curv\0\0\0\0" + struct.pack(">I", 0)
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _srgb_curve(version: int) -> bytes:
    if version == 4:
        numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        return b"para\0\0\0\0\0\3\0\0" + struct.pack(">5i", *(round(n * 65536) for n in numbers))
    points = MatrixSpace("").linear(np.linspace(0, 1, 1024)) * 65535
    return b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.round(points).astype(">u2").tobytes()


def _description(text: str, version: int) -> bytes:
    if version == 2:
        ascii_text = text.encode("ascii", "replace") + b"\0"
        return b"desc\0\0\0\0" + struct.pack(">I", len(ascii_text)) + ascii_text + b"\0" * 78
    wide = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">2I4s2I", 1, 12, b"enUS", len(wide), 28) + wide


def _xyz(point: Point) -> Pixels:
    x, y = point
    return np.array([x / y if y else x / 1e-9, 1.0, (1 - x - y) / y])


def _xyz_tag(xyz: Pixels) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in xyz))
