"""AVIF and HEIF: files that the decoders are too strict for, and kinds that they do not read."""

from __future__ import annotations

import io

from captioning.images.formats.isobmff import boxes_in, primary_properties

_META = 1 << 20
"""Bytes at the start that hold the description of the pictures in usual files."""
_MATRICES = {
    3: "reserved",
    10: "constant luminance",
    11: "SMPTE 2085",
    13: "derived, constant luminance",
    14: "ICtCp",
}
"""Matrix coefficients of ITU-T H.273 that libavif does not turn into RGB."""


def avif_words(data: bytes) -> str:
    """What kind of AVIF it is, in words, if its colours cannot be turned into RGB; else ""."""
    for kind, content in primary_properties(io.BytesIO(data)):
        if kind == b"colr" and content.startswith(b"nclx"):
            matrix = int.from_bytes(content[8:10], "big")
            if matrix in _MATRICES:
                return f"an AVIF with colours as {_MATRICES[matrix]}"
    return ""


def heif_words(data: bytes) -> str:
    """What kind of HEIF it is, in words, if it holds no picture by HEVC; else ""."""
    if b"meta" not in data[:_META] or b"hvc1" in data[:_META]:
        return ""
    codecs = {b"avc1": "AVC", b"vvc1": "VVC", b"jpeg": "JPEG", b"unci": "uncompressed samples"}
    found = (words for name, words in codecs.items() if b"infe" in data and name in data[:_META])
    codec = next(found, "")
    return f"a HEIF with {codec}" if codec else ""


def merged_associations(data: bytes) -> bytes | None:
    """The file with one box of item properties' associations (ipma) in place of several of one
    version, which libavif refuses and browsers take; None if it has not several. It stays as
    long as it was: what is saved becomes a free box behind the properties, so that no offset
    changes."""
    place = _content_of(data, 0, len(data), b"meta")
    place = _content_of(data, place[0] + 4, place[1], b"iprp") if place else None
    if place is None:
        return None
    found = [(start, end) for kind, start, _, end in boxes_in(data, *place) if kind == b"ipma"]
    first, last = (found[0][0], found[-1][1]) if found else (0, 0)
    behind = place[1] == last  # no other box of the properties follows
    kinds = {data[start + 8 : start + 12] for start, _ in found}
    if (
        len(found) < 2
        or len(kinds) > 1
        or not behind
        or last - first != sum(end - at for at, end in found)
    ):
        return None
    wide_id, wide_index = data[first + 8] > 0, data[first + 11] & 1
    entries = []
    for start, end in found:
        at = start + 16
        for _ in range(int.from_bytes(data[start + 12 : start + 16], "big")):
            size = (4 if wide_id else 2) + 1
            length = size + data[at + size - 1] * (2 if wide_index else 1)
            entries.append(data[at : at + length])
            at += length
            if at > end:
                return None
    entries.sort(key=lambda entry: entry[: 4 if wide_id else 2])
    body = b"ipma" + kinds.pop() + len(entries).to_bytes(4, "big") + b"".join(entries)
    free = last - first - len(body) - 4
    padding = free.to_bytes(4, "big") + b"free" + bytes(free - 8)
    inside = (place[1] - place[0] + 8 - free).to_bytes(4, "big")
    data = data[: place[0] - 8] + inside + data[place[0] - 4 :]
    return data[:first] + (len(body) + 4).to_bytes(4, "big") + body + padding + data[last:]


def _content_of(data: bytes, start: int, end: int, name: bytes) -> tuple[int, int] | None:
    """Where the content of the box of this type begins and ends."""
    found = (box[2:] for box in boxes_in(data, start, end) if box[0] == name)
    return next(found, None)
