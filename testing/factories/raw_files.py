"""Cameras' raw files, in miniature: no samples of a sensor, but all that the app looks at."""

from __future__ import annotations

import struct

import numpy as np

from testing.factories.pictures import UNDO, encoded, quadrants
from testing.factories.tiffs import Page, Values, file, page

SENSOR, REDUCED = 32803, 1


def raw_file(
    name: str,
    width: int = 800,
    orientation: int = 1,
    *,
    order: str = "<",
    preview: bool = True,
) -> bytes:
    """A raw file of the quadrants, with a preview of half its size. `width` is upright."""
    upright = quadrants(width // 2, width * 3 // 8)
    stored = upright.transpose(UNDO[orientation]) if orientation in UNDO else upright
    size = stored.width * 2, stored.height * 2
    jpeg = encoded(stored, "JPEG") if preview else b""
    if name == "RAF":
        return _raf(size, encoded(upright, "JPEG") if preview else b"")
    if name == "CR3":
        return _cr3(size, orientation, jpeg)
    if name == "RW2":
        borders: dict[int, Values] = {4: (3, [8]), 5: (3, [8]), 6: (3, [size[1] + 8])}
        borders |= {7: (3, [size[0] + 8]), 274: (3, [orientation])}
        return file([Page(borders)], magic=b"IIU\0") + jpeg
    small = page(np.asarray(stored.resize((16, 12))), 8, 2, order=order)
    small.tags |= {254: (4, [REDUCED]), 274: (3, [orientation])}
    small.subs = [Page(_sensor(size), [b"\xff\xd8\xff" + b"\x12" * 999])]
    if name == "DNG":
        small.tags[50706] = (1, [1, 4, 0, 0])
        return file([small], order=order) + jpeg
    if name == "ORF":
        tags = {**_sensor(size), 274: (3, [orientation])}
        return file([Page(tags, [b"\x12" * 999])], magic=b"IIRO") + jpeg
    small.tags[271] = (2, {"NEF": b"NIKON CORPORATION\0", "ARW": b"SONY\0"}[name])
    return file([small], order=order) + jpeg


def dng_with_full_page(width: int, orientation: int) -> bytes:
    """A DNG that holds the whole picture as colours, below a small version of it."""
    upright = quadrants(width, width * 3 // 4)
    stored = upright.transpose(UNDO[orientation]) if orientation in UNDO else upright
    small = page(np.asarray(stored.resize((16, 12))), 8, 2)
    small.tags |= {254: (4, [REDUCED]), 274: (3, [orientation]), 50706: (1, [1, 4, 0, 0])}
    small.subs = [page(np.asarray(stored), 8, 2)]
    return file([small])


def _sensor(size: tuple[int, int]) -> dict[int, Values]:
    width, height = size
    samples: dict[int, Values] = {258: (3, [14]), 259: (3, [7]), 262: (3, [SENSOR]), 277: (3, [1])}
    return {254: (4, [0]), 256: (4, [width]), 257: (4, [height]), **samples}


def _raf(size: tuple[int, int], jpeg: bytes) -> bytes:
    tags = struct.pack(">IHHHH", 1, 0x111, 4, size[1], size[0])
    head = b"FUJIFILMCCD-RAW 0201".ljust(92, b"\0") + struct.pack(">II", 200, len(tags))
    return (head.ljust(200, b"\0") + tags).ljust(400, b"\0") + jpeg


def _cr3(size: tuple[int, int], orientation: int, jpeg: bytes) -> bytes:
    tags: dict[int, Values] = {256: (4, [size[0]]), 257: (4, [size[1]]), 274: (3, [orientation])}
    boxes = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom"
    described = b"CMT1" + file([Page(tags)])
    return boxes + struct.pack(">I", 4 + len(described)) + described + jpeg
