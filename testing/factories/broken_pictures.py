"""Files that lack or add something which viewers do not mind, and files that are really cut."""

from __future__ import annotations

import struct
import zlib

from PIL import Image

from testing.factories.pictures import encoded


def chunk(name: bytes, body: bytes, *, is_wrong: bool = False) -> bytes:
    """A chunk of a PNG, with a wrong checksum if asked for."""
    checksum = zlib.crc32(name + body) ^ is_wrong
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)


def with_chunks(image: Image.Image, *chunks: bytes) -> bytes:
    """A PNG with these chunks before its pixels."""
    png = encoded(image, "PNG")
    return png[:33] + b"".join(chunks) + png[33:]


def deep_png(samples: bytes, size: tuple[int, int], color: int, transparent: bytes) -> bytes:
    """A PNG of 16 bits a sample, rows of big-endian samples, with a transparent colour."""
    row = len(samples) // size[1]
    rows = b"".join(b"\0" + samples[at : at + row] for at in range(0, len(samples), row))
    header = struct.pack(">IIBBBBB", *size, 16, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            chunk(b"IHDR", header),
            chunk(b"tRNS", transparent),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def masked_bmp(image: Image.Image, masks: tuple[int, ...], bits: int, *, upward: bool) -> bytes:
    """An RGB image as a BMP with these bit masks of red, green, blue and perhaps alpha."""
    width, height = image.size
    rows = []
    for y in range(height):
        row = b""
        for x in range(width):
            color = (*image.getpixel((x, y)), 255)  # type: ignore[misc]
            value = 0
            for level, mask in zip(color, masks, strict=False):
                low = (mask & -mask).bit_length() - 1
                value |= level * (mask >> low) // 255 << low
            row += value.to_bytes(bits // 8, "little")
        rows.append(row + bytes(-len(row) % 4))
    length = 56 if len(masks) == 4 else 40
    sizes = (length, width, height if upward else -height, 1, bits, 3, 0, 0, 0, 0, 0)
    header = struct.pack("<IiiHHIIiiII", *sizes) + struct.pack(f"<{len(masks)}I", *masks)
    pixels = b"".join(rows[::-1] if upward else rows)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(header)) + header + pixels


def avif_with_two_associations(image: Image.Image) -> bytes:
    """An AVIF of an image with alpha whose box of associations is split in two."""
    avif = encoded(image, "AVIF")
    at = avif.index(b"ipma") - 4
    end = at + int.from_bytes(avif[at : at + 4], "big")
    cut = at + 16 + 3 + avif[at + 18]
    head, parts = avif[at + 8 : at + 12], (avif[at + 16 : cut], avif[cut:end])
    boxes = [
        struct.pack(">I", 16 + len(part)) + b"ipma" + head + struct.pack(">I", 1) + part
        for part in parts
    ]
    grown = bytearray(avif[:at] + b"".join(boxes) + avif[end:])
    for name in (b"meta", b"iprp"):
        start = grown.index(name) - 4
        grown[start : start + 4] = struct.pack(">I", int.from_bytes(grown[start : start + 4]) + 16)
    start = grown.index(b"iloc") + 4
    count = int.from_bytes(grown[start + 6 : start + 8])
    for item in range(count):  # id, source, number of extents, and offset and length of the one
        place = start + 8 + item * 14 + 6
        grown[place : place + 4] = struct.pack(">I", int.from_bytes(grown[place : place + 4]) + 16)
    return bytes(grown)
