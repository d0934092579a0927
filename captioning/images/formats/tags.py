"""The directories of a TIFF, and of camera raw files, which are made in the same way."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MOST_DIRECTORIES = 64
_MOST_TAGS = 4_096
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_SIZES = {2: 1, 5: 8, 7: 1, 10: 8, 11: 4, 12: 8}
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
FILL_ORDER, MAKE, STRIPS, ORIENTATION, SAMPLES, ROWS, COUNTS = 266, 271, 273, 274, 277, 278, 279
PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_COUNTS = 284, 317, 322, 323, 324, 325
SUB_DIRECTORIES, EXTRA, SAMPLE_FORMAT, SUBSAMPLING = 330, 338, 339, 530
ICC_PROFILE, DNG_VERSION, DEFAULT_CROP = 34675, 50706, 50720


@dataclass(frozen=True, slots=True)
class Directory:
    """One image of the file. `order` is "<" or ">". Tags that cannot be read are left out."""

    order: str
    offset: int
    tags: dict[int, tuple[int, ...] | bytes]

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The values of a tag of whole numbers."""
        found = self.tags.get(tag)
        return found if isinstance(found, tuple) and found else default

    def number(self, tag: int, default: int = 0) -> int:
        """The first value of a tag of whole numbers."""
        return self.numbers(tag, (default,))[0]

    def text(self, tag: int) -> str:
        """The value of a tag of text."""
        found = self.tags.get(tag)
        return found.partition(b"\0")[0].decode("latin-1") if isinstance(found, bytes) else ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored, in pixels."""
        return self.number(WIDTH), self.number(HEIGHT)

    @property
    def area(self) -> int:
        """Pixels."""
        return self.number(WIDTH) * self.number(HEIGHT)

    @property
    def is_reduced(self) -> bool:
        """Whether it is a smaller version of another one, or a mask."""
        return bool(self.number(SUBFILE) & 5)

    @property
    def orientation(self) -> int:
        """1 to 8."""
        value = self.number(ORIENTATION, 1)
        return value if value in range(1, 9) else 1


def directories(data: bytes, start: int = 0) -> list[Directory]:
    """The directories of the file that begins at `start` in the order of the file: those of the
    chain, each with its subdirectories behind it. No directory comes twice, and no more than 64
    do; nothing outside the bytes is followed."""
    data = data[start:] if start else data
    if len(data) < 8:
        return []
    order = "<" if data[:1] == b"I" else ">"
    big = b"\x2b" in data[2:4]
    seen: set[int] = set()
    found: list[Directory] = []
    (at,) = _unpacked(data, order + ("Q" if big else "I"), 8 if big else 4) or (0,)
    while at and at not in seen and len(found) < MOST_DIRECTORIES:
        read = _read(data, order, at, big=big)
        if read is None:
            break
        seen.add(at)
        directory, at = read
        found.append(directory)
        for inner in directory.numbers(SUB_DIRECTORIES)[:16]:
            sub = _read(data, order, inner, big=big) if inner not in seen else None
            if sub is not None and len(found) < MOST_DIRECTORIES:
                seen.add(inner)
                found.append(sub[0])
    return found


def _read(data: bytes, order: str, at: int, *, big: bool) -> tuple[Directory, int] | None:
    """The directory at this place, and where the next one is."""
    head = _unpacked(data, order + ("Q" if big else "H"), at)
    if head is None or head[0] > _MOST_TAGS:
        return None
    first, size = at + (8 if big else 2), 20 if big else 12
    if first + size * head[0] > len(data):
        return None
    tags = dict(_tags(data, order, range(first, first + size * head[0], size), big=big))
    following = _unpacked(data, order + ("Q" if big else "I"), first + size * head[0]) or (0,)
    return Directory(order, at, tags), following[0]


def _tags(
    data: bytes, order: str, places: range, *, big: bool
) -> Iterator[tuple[int, tuple[int, ...] | bytes]]:
    room = 8 if big else 4
    for place in places:
        tag, kind, count = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, place)
        code = _CODES.get(kind, "")
        length = count * (struct.calcsize(order + code) if code else _SIZES.get(kind, 0))
        value = place + (12 if big else 8)
        if length > room:
            (value,) = struct.unpack_from(order + ("Q" if big else "I"), data, value)
        if length == 0 or value + length > len(data):
            continue
        if code:
            yield tag, struct.unpack_from(f"{order}{count}{code}", data, value)
        else:
            yield tag, data[value : value + length]


def _unpacked(data: bytes, layout: str, at: int) -> tuple[int, ...] | None:
    inside = 0 <= at <= len(data) - struct.calcsize(layout)
    return struct.unpack_from(layout, data, at) if inside else None
