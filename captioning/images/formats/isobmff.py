"""The boxes of an ISOBMFF file (AVIF, HEIF), and the properties of the image in it.

Properties say how the pixels are cropped (clap), turned (irot, imir) and coloured (colr). Pillow
tells only some of them. The boxes are those of ISO/IEC 14496-12 and 23008-12.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import IO

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of a box that is read. The meta box of a grid of a thousand tiles has some 100 KiB."""
MOST_BOXES = 4_096
"""Boxes beside each other that are read."""

Properties = tuple[tuple[bytes, bytes], ...]
"""The type of each property, four bytes, and its content, in the order of their association."""


def primary_properties(file: IO[bytes]) -> Properties:
    """The properties of the image that a viewer shows, in an animated AVIF those of its track;
    none where the boxes cannot be read.

    Reads `file` from its beginning, and leaves it where it stands.
    """
    position = file.tell()
    try:
        file.seek(0)
        if file.read(12)[4:] == b"ftypavis":
            return _of_track(_content(file, b"moov"))
        return _of_item(_content(file, b"meta"))
    except (struct.error, ValueError):
        return ()
    finally:
        file.seek(position)


def without_exif(data: bytes) -> bytes:
    """An AVIF, or what may be one, whose EXIF a reader does not find; other data as they are.

    Pillow refuses a file whose EXIF it cannot read. Nothing in it matters: irot and imir turn the
    image, and browsers do not look for more.
    """
    if data[4:12] not in {b"ftypavif", b"ftypavis", b"ftypmif1", b"ftypmsf1"}:
        return data
    try:
        items = dict(_boxes(_content(io.BytesIO(data), b"meta")[4:])).get(b"iinf", b"")
    except (struct.error, ValueError):
        return data
    return data.replace(items, items.replace(b"Exif", b"skip"), 1) if b"Exif" in items else data


def boxes_in(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """Of each box from `start` to `end`: its type, and where it, its content and its end are.
    Raises ValueError or struct.error where they are broken."""
    for _ in range(MOST_BOXES):
        if start + 8 > end:
            return
        kind, content, size = _head(data[start : start + 16])
        until = start + size if size else end
        if until > end:
            raise ValueError("A box is larger than what holds it")
        yield kind, start, start + content, until
        start = until


def _content(file: IO[bytes], wanted: bytes) -> bytes:
    """The content of a box that no other one holds. Raises ValueError."""
    start = 0
    for _ in range(MOST_BOXES):
        file.seek(start)
        kind, content, size = _head(file.read(16))
        if kind == wanted and size <= MOST_BYTES:
            file.seek(start + content)
            return file.read(size - content if size else MOST_BYTES)
        if not size:
            break
        start += size
    raise ValueError("There is no such box that can be read")


def _head(head: bytes) -> tuple[bytes, int, int]:
    """Type of a box, where its content begins, and its size: 0 if it ends with what holds it.
    Raises ValueError or struct.error."""
    size, kind = struct.unpack_from(">I4s", head)
    content = 8
    if size == 1:
        [size] = struct.unpack_from(">Q", head, 8)
        content = 16
    if 0 < size < content:
        raise ValueError("A box is smaller than its head")
    return kind, content, size


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of the boxes in the content of another one."""
    for kind, _, content, end in boxes_in(data, 0, len(data)):
        yield kind, data[content:end]


def _of_item(meta: bytes) -> Properties:
    boxes = dict(_boxes(meta[4:]))  # after version and flags
    primary = boxes.get(b"pitm", b"")
    [item] = struct.unpack_from(">I" if primary[:1] > b"\0" else ">H", primary, 4)
    properties = [*_boxes(boxes.get(b"iprp", b""))]
    known = [each for kind, content in properties if kind == b"ipco" for each in _boxes(content)]
    return tuple(
        known[index - 1]
        for kind, content in properties
        if kind == b"ipma"
        for index in _associated(content, item)
        if 0 < index <= len(known)
    )


def _of_track(moov: bytes) -> Properties:
    """Of the first track of pictures: one of a mask calls itself otherwise."""
    for kind, track in _boxes(moov):
        media = dict(_boxes(track)).get(b"mdia", b"") if kind == b"trak" else b""
        parts = dict(_boxes(media))
        if parts.get(b"hdlr", b"")[8:12] == b"pict":
            table = dict(_boxes(parts.get(b"minf", b""))).get(b"stbl", b"")
            described = dict(_boxes(table)).get(b"stsd", b"")
            entry = dict(_boxes(described[8:])).get(b"av01", b"")  # after version and count
            return tuple(_boxes(entry[78:]))  # after the fields of a visual sample
    return ()


def _associated(ipma: bytes, item: int) -> Iterator[int]:
    """The numbers, from 1, of the properties of an item."""
    version, wide = ipma[:1] > b"\0", ipma[3:4] > b"\0" and ipma[3] & 1
    [entries] = struct.unpack_from(">I", ipma, 4)
    start = 8
    for _ in range(min(entries, len(ipma))):
        owner, count = struct.unpack_from(">IB" if version else ">HB", ipma, start)
        start += 5 if version else 3
        numbers = struct.unpack_from(f">{count}{'H' if wide else 'B'}", ipma, start)
        start += count * (2 if wide else 1)
        if owner == item:  # the highest bit says whether a reader must know the property
            yield from (number & (0x7FFF if wide else 0x7F) for number in numbers)
