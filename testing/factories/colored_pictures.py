"""Pictures whose files say what their colours are, in each of the ways that formats have."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from testing.factories.color_profiles import Pixels, Point

Levels = NDArray[np.uint8]
"""Height x width x 3, 0 to 255."""


def scene(side: int = 48) -> Pixels:
    """Every hue, from grey to full and from dark to bright, sRGB from 0 to 1; and a grey ramp."""
    hue, bright = np.meshgrid(np.linspace(0, 6, side), np.linspace(0.05, 1, side))
    full = np.stack([np.clip(abs((hue + turn) % 6 - 3) - 1, 0, 1) for turn in (0, 4, 2)], -1)
    pale = np.tile(np.linspace(0, 1, 8), side // 8)[:, None]
    mixed = (full * pale[:, :, None] + 1 - pale[:, :, None]) * bright[:, :, None]
    mixed[-side // 8 :] = np.linspace(0, 1, side)[:, None]
    return np.asarray(mixed)


def levels(samples: Pixels) -> Levels:
    """Samples from 0 to 1 as bytes."""
    return np.round(np.clip(samples, 0, 1) * 255).astype(np.uint8)


def shown(image: Image.Image) -> Levels:
    """The pixels of an image as RGB."""
    return np.asarray(image.convert("RGB"))


def png(samples: NDArray[np.uint8] | NDArray[np.uint16], *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of grey, RGB or RGBA samples of 8 or 16 bits, with chunks ahead of its pixels."""
    height, width = samples.shape[:2]
    kind = {1: 0, 3: 2, 4: 6}[1 if samples.ndim == 2 else samples.shape[2]]
    depth = samples.dtype.itemsize * 8
    wide = samples.astype(">u2" if depth == 16 else np.uint8).reshape(height, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    every = (b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in every)


def cicp(
    primaries: int, transfer: int, matrix: int = 0, full_range: int = 1
) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, matrix, full_range])


def gama(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def chrm(primaries: tuple[Point, ...], white: Point) -> tuple[bytes, bytes]:
    numbers = [value for point in (white, *primaries) for value in point]
    return b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in numbers))


def iccp(profile: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"profile\0\0" + zlib.compress(profile)


def clli(most_nits: int) -> tuple[bytes, bytes]:
    return b"cLLI", struct.pack(">2I", most_nits * 10_000, 100 * 10_000)


def with_nclx(image: Image.Image, primaries: int, transfer: int, file_format: str) -> bytes:
    """An AVIF or HEIF, nearly lossless, that names its colours by these code points."""
    best = {"subsampling": "4:4:4"} if file_format == "AVIF" else {"chroma": 444}
    data = bytearray(saved(image, file_format, quality=95, **best))
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">2H", primaries, transfer)
    return bytes(data)


def deep_heic(samples: NDArray[np.uint16], primaries: int, transfer: int) -> bytes:
    """A HEIC of 10 bits, nearly lossless, that names its colours by these code points."""
    height, width = samples.shape[:2]
    image = pillow_heif.from_bytes("RGB;16", (width, height), samples.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, quality=95, chroma=444)
    data = bytearray(buffer.getvalue())
    at = data.index(b"colrnclx") + 8
    data[at : at + 4] = struct.pack(">2H", primaries, transfer)
    return bytes(data)


def bmp_with(image: Image.Image, profile: bytes) -> bytes:
    """A BMP of version 5 with this profile at its end."""
    rows = [row[:, ::-1].tobytes() for row in shown(image)[::-1]]
    pixels = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    header = struct.pack("<IiiHHII", 124, *image.size, 1, 24, 0, len(pixels)).ljust(56, b"\0")
    header = (header + b"DEBM").ljust(108, b"\0")
    header += struct.pack("<4I", 4, 124 + len(pixels), len(profile), 0)
    size = 14 + len(header) + len(pixels) + len(profile)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, 138) + header + pixels + profile


def saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)
