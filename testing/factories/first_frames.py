"""Animations and drawings whose first frame is not simply the file's first picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from PIL import Image

from testing.factories.pictures import encoded


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of the chunks of a PNG."""
    at = 8
    while at < len(png):
        [length] = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


Frame = tuple[Image.Image, tuple[int, int]]
"""A picture, and where its left upper corner lies."""


def apng(hidden: Image.Image, frames: Sequence[Frame], *, blend: int = 0) -> bytes:
    """An animation behind an image that only programs see which know no animation."""
    parts = list(chunks(encoded(hidden, "PNG")))
    header = [chunk(*part) for part in parts if part[0] not in {b"IDAT", b"IEND"}]
    still = [chunk(*part) for part in parts if part[0] == b"IDAT"]
    made = [chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    number = 0
    moving = []
    for image, (x, y) in frames:
        control = struct.pack(">IIIIIHHBB", number, *image.size, x, y, 100, 1_000, 0, blend)
        coded = b"".join(data for kind, data in chunks(encoded(image, "PNG")) if kind == b"IDAT")
        moving.append(chunk(b"fcTL", control))
        moving.append(chunk(b"fdAT", struct.pack(">I", number + 1) + coded))
        number += 2
    return b"\x89PNG\r\n\x1a\n" + b"".join([*header, *made, *still, *moving, chunk(b"IEND", b"")])


def gif(
    image: Image.Image, canvas: tuple[int, int], at: tuple[int, int], **options: object
) -> bytes:
    """A GIF whose first frame is a part of the canvas. Colour 0 of its palette, the background, is
    the most frequent of the image."""
    data = bytearray(encoded(image, "GIF", **options))
    data[6:10] = struct.pack("<HH", *canvas)
    place = _descriptor(data)
    data[place : place + 4] = struct.pack("<HH", *at)
    return bytes(data)


def _descriptor(data: bytearray) -> int:
    """Where the position of the first frame stands."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0)
    while data[at] == ord("!"):
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    assert data[at] == ord(",")
    return at + 1


def webp(frames: Sequence[Frame], canvas: tuple[int, int], background: bytes) -> bytes:
    """An animated WebP; the colour of the background in the order blue, green, red, alpha."""

    def part(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    def three(value: int) -> bytes:
        return struct.pack("<I", value)[:3]

    made = []
    for image, (x, y) in frames:
        coded = encoded(image, "WEBP", lossless=True)[12:]
        place = (x // 2, y // 2, image.width - 1, image.height - 1, 1_000)
        made.append(part(b"ANMF", b"".join(map(three, place)) + b"\2" + coded))
    size = three(canvas[0] - 1) + three(canvas[1] - 1)
    body = part(b"VP8X", b"\x12\0\0\0" + size) + part(b"ANIM", background + bytes(2))
    whole = b"WEBP" + body + b"".join(made)
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def ico(images: Sequence[Image.Image]) -> bytes:
    """An icon of several pictures, in this order."""
    files = [encoded(image, "PNG") for image in images]
    entries, at = [], 6 + 16 * len(files)
    for image, file in zip(images, files, strict=True):
        entries.append(struct.pack("<BBBBHHII", *image.size, 0, 0, 1, 32, len(file), at))
        at += len(file)
    return struct.pack("<HHH", 0, 1, len(files)) + b"".join([*entries, *files])
