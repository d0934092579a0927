"""AVIF files with any properties: cropped, turned and mirrored ones, whole or as tiles."""

from __future__ import annotations

import io
import struct

from PIL import Image

from captioning.images.formats.isobmff import primary_properties
from testing.factories.pictures import encoded

VERBATIM = {"quality": 95, "subsampling": "4:4:4"}


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + kind + body


def full(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def clap(width: float, height: float, left: float, top: float, of: tuple[int, int]) -> bytes:
    """A crop that begins at `left`, `top` of an image of the size `of`; all in pixels, and exact to
    a half of one."""
    offsets = (left + width / 2 - of[0] / 2, top + height / 2 - of[1] / 2)
    halves = [round(2 * value) for value in (width, height, *offsets)]
    return box(b"clap", *(struct.pack(">iI", value, 2) for value in halves))


def irot(quarters: int) -> bytes:
    """Turned anticlockwise."""
    return box(b"irot", bytes([quarters]))


def imir(axis: int) -> bytes:
    """Mirrored: 0 swaps top and bottom, 1 left and right."""
    return box(b"imir", bytes([axis]))


def avif(image: Image.Image, *properties: bytes, columns: int = 1, exif: bytes = b"") -> bytes:
    """A file of an RGB image with these properties, as `columns` tiles of the same width."""
    step = image.width // columns
    tiles = [
        encoded(image.crop((x * step, 0, (x + 1) * step, image.height)), "AVIF", **VERBATIM)
        for x in range(columns)
    ]
    coded = [tile[tile.index(b"mdat") + 4 :] for tile in tiles]
    known = {kind: box(kind, value) for kind, value in primary_properties(io.BytesIO(tiles[0]))}
    items, kinds = coded, [b"av01"] * columns
    if columns > 1:
        grid = struct.pack(">BBBBHH", 0, 0, 0, columns - 1, *image.size)
        items, kinds = [grid, *coded], [b"grid", *kinds]
    if exif:
        items, kinds = [*items, bytes(4) + exif], [*kinds, b"Exif"]
    whole = full(b"ispe", struct.pack(">II", *image.size))
    listed = [*known.values(), whole, *properties]  # those of a tile, and then those of the whole
    of_tile = {number: [*range(1, len(known) + 1)] for number in range(len(items))}
    own = [*range(len(known) + 1, len(listed) + 1)]
    names = [*known]
    shared = [names.index(b"pixi") + 1, names.index(b"colr") + 1]
    if columns == 1:
        shared.append(names.index(b"av1C") + 1)
    associated = {**of_tile, 0: [*shared, *own]}
    if exif:
        del associated[len(items) - 1]
    return _file(items, kinds, listed, associated, columns)


def _file(
    items: list[bytes],
    kinds: list[bytes],
    properties: list[bytes],
    associated: dict[int, list[int]],
    columns: int,
) -> bytes:
    ftyp = box(b"ftyp", b"avif", bytes(4), b"avifmif1miafMA1A")
    ipma = full(
        b"ipma",
        struct.pack(">I", len(associated)),
        *(
            struct.pack(">HB", item + 1, len(numbers)) + bytes(_marked(numbers, properties))
            for item, numbers in associated.items()
        ),
    )
    infos = [
        full(b"infe", struct.pack(">HH4s", item + 1, 0, kind), b"\0", version=2)
        for item, kind in enumerate(kinds)
    ]
    references = []
    if columns > 1:
        tiles = struct.pack(f">HH{columns}H", 1, columns, *range(2, columns + 2))
        references.append(box(b"dimg", tiles))
    if kinds[-1] == b"Exif":
        references.append(box(b"cdsc", struct.pack(">HHH", len(kinds), 1, 1)))

    def meta(start: int) -> bytes:
        places, at = [], start
        for item, data in enumerate(items):
            places.append(struct.pack(">HHHII", item + 1, 0, 1, at, len(data)))
            at += len(data)
        return full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(13)),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)), *places),
            full(b"iinf", struct.pack(">H", len(infos)), *infos),
            *([full(b"iref", *references)] if references else []),
            box(b"iprp", box(b"ipco", *properties), ipma),
        )

    start = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(start) + box(b"mdat", *items)


def _marked(numbers: list[int], properties: list[bytes]) -> list[int]:
    """With the bit that says whether a reader must know a property."""
    essential = (b"av1C", b"clap", b"irot", b"imir")
    return [number | (properties[number - 1][4:8] in essential) << 7 for number in numbers]


_BEFORE_BOXES = {
    b"moov": 0,
    b"trak": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
    b"stsd": 8,
    b"av01": 78,
}
"""By the boxes around the properties of a track: how many bytes stand before the boxes in them."""


def moving_avif(images: list[Image.Image], *properties: bytes) -> bytes:
    """An animation whose track has these properties."""
    moving = {"save_all": True, "append_images": images[1:], "duration": 5_000}
    data = encoded(images[0], "AVIF", **VERBATIM, **moving)
    return _with(data, b"".join(properties))


def _with(data: bytes, more: bytes) -> bytes:
    """The boxes with more of them in the description of the samples, which lie later then."""
    made, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + size]
        if kind in _BEFORE_BOXES:
            start = _BEFORE_BOXES[kind]
            content = content[:start] + _with(content[start:], more)
            content += more if kind == b"av01" else b""
        elif kind == b"stco":
            count = (len(content) - 8) // 4
            places = struct.unpack(f">{count}I", content[8:])
            moved = (place + len(more) for place in places)
            content = content[:8] + struct.pack(f">{count}I", *moved)
        made.append(box(kind, content))
        at += size
    return b"".join(made)
