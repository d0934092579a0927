"""TIFFs packed by hand: any size and kind of samples, byte order, layout and compression."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

TYPES = {1: "B", 2: "c", 3: "H", 4: "I", 7: "B", 13: "I", 16: "Q"}
COMPRESS: dict[int, Callable[[bytes], bytes]] = {1: bytes, 8: zlib.compress}
Values = tuple[int, Sequence[int] | bytes]
"""Type, and values."""


@dataclass
class Page:
    """Tags, and what is stored in strips or tiles. Subdirectories come in tag 330."""

    tags: dict[int, Values]
    blocks: Sequence[bytes] = ()
    subs: Sequence[Page] = ()
    tiled: bool = False


def packed(samples: np.ndarray, bits: int, order: str) -> bytes:
    """Rows of samples (height x columns, whole numbers or floats) as bytes."""
    if samples.dtype.kind == "f":
        return samples.astype(f"{order}f{bits // 8}").tobytes()
    if bits in {8, 16, 32, 64}:
        kind = "i" if samples.dtype.kind == "i" else "u"
        return samples.astype(f"{order}{kind}{bits // 8}").tobytes()
    if bits == 24:
        whole = samples.astype(f"{order}u4").view(np.uint8).reshape(*samples.shape, 4)
        return (whole[..., :3] if order == "<" else whole[..., 1:]).tobytes()
    places = np.arange(bits - 1, -1, -1, dtype=np.uint64)
    ones = (samples[..., None].astype(np.uint64) >> places) & 1
    return np.packbits(ones.reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()


def tiff(
    samples: np.ndarray,
    bits: int,
    photometric: int,
    *,
    order: str = "<",
    big: bool = False,
    planar: bool = False,
    tile: int = 0,
    compression: int = 1,
    predictor: int = 1,
    rows: int = 0,
    tags: Mapping[int, Values] | None = None,
) -> bytes:
    """A file of height x width x samples."""
    made = page(
        samples,
        bits,
        photometric,
        order=order,
        planar=planar,
        tile=tile,
        compression=compression,
        predictor=predictor,
        rows=rows,
        tags=tags,
    )
    return file([made], order=order, big=big)


def page(
    samples: np.ndarray,
    bits: int,
    photometric: int,
    *,
    order: str = "<",
    planar: bool = False,
    tile: int = 0,
    compression: int = 1,
    predictor: int = 1,
    rows: int = 0,
    tags: Mapping[int, Values] | None = None,
) -> Page:
    """One page of height x width x samples, in strips of `rows` or in square tiles."""
    height, width, count = samples.shape
    planes = [samples[..., [number]] for number in range(count)] if planar else [samples]
    blocks = []
    for plane in planes:
        down, across = (tile, tile) if tile else (rows or height, width)
        for y in range(0, height, down):
            for x in range(0, width, across):
                part = plane[y : y + down, x : x + across]
                if tile:
                    missing = ((0, tile - part.shape[0]), (0, tile - part.shape[1]), (0, 0))
                    part = np.pad(part, missing)
                if predictor == 2:
                    part = np.diff(part, axis=1, prepend=part[:, :1] * 0)
                flat = part.reshape(len(part), -1)
                content = floats_apart(flat, part.shape[2]) if predictor == 3 else b""
                blocks.append(COMPRESS[compression](content or packed(flat, bits, order)))
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    made: dict[int, Values] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * count),
        259: (3, [compression]),
        262: (3, [photometric]),
        277: (3, [count]),
        284: (3, [2 if planar else 1]),
        317: (3, [predictor]),
        339: (3, [kind] * count),
    }
    made |= {322: (4, [tile]), 323: (4, [tile])} if tile else {278: (4, [rows or height])}
    return Page({**made, **(tags or {})}, blocks, tiled=bool(tile))


def floats_apart(rows: np.ndarray, step: int) -> bytes:
    """Rows by predictor 3: differences of bytes, the highest byte of every number first."""
    size = rows.dtype.itemsize
    apart = rows.astype(rows.dtype.newbyteorder(">")).view(np.uint8)
    apart = apart.reshape(len(rows), -1, size).transpose(0, 2, 1).reshape(len(rows), -1)
    result = apart.copy()
    result[:, step:] -= apart[:, :-step]
    return result.tobytes()


@dataclass
class _Writer:
    order: str
    big: bool
    body: bytearray = field(default_factory=bytearray)

    def put(self, content: bytes) -> int:
        self.body += bytes(len(self.body) % 2)
        self.body += content
        return len(self.body) - len(content)

    def directory(self, made: Page, following: int) -> int:
        tags = dict(made.tags)
        if made.blocks:
            places = [self.put(block) for block in made.blocks]
            tags[324 if made.tiled else 273] = (4, places)
            tags[325 if made.tiled else 279] = (4, [len(block) for block in made.blocks])
        if made.subs:
            tags[330] = (4, [self.directory(sub, 0) for sub in made.subs])
        room, entries = (8 if self.big else 4), b""
        for tag in sorted(tags):
            kind, values = tags[tag]
            raw = (
                values
                if isinstance(values, bytes)
                else struct.pack(f"{self.order}{len(values)}{TYPES[kind]}", *values)
            )
            inline = raw.ljust(room, b"\0") if len(raw) <= room else None
            where = inline or struct.pack(self.order + ("Q" if self.big else "I"), self.put(raw))
            layout = self.order + ("HHQ" if self.big else "HHI")
            entries += struct.pack(layout, tag, kind, len(values)) + where
        head = struct.pack(self.order + ("Q" if self.big else "H"), len(tags))
        tail = struct.pack(self.order + ("Q" if self.big else "I"), following)
        return self.put(head + entries + tail)


def file(
    pages: Sequence[Page], *, order: str = "<", big: bool = False, magic: bytes = b""
) -> bytes:
    """A file of these pages."""
    start = 16 if big else 8
    writer = _Writer(order, big, bytearray(start))
    following = 0
    for made in reversed(pages):
        following = writer.directory(made, following)
    mark = b"II" if order == "<" else b"MM"
    if big:
        writer.body[:16] = mark + struct.pack(order + "HHHQ", 43, 8, 0, following)
    else:
        writer.body[:8] = mark + struct.pack(order + "HI", 42, following)
        writer.body[: len(magic)] = magic
    return bytes(writer.body)
