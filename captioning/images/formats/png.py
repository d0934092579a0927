"""PNG: chunks beside the picture that Pillow would fail on, and browsers ignore, are left out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from PIL import PngImagePlugin

MOST_PROFILE = 16 << 20
"""Bytes of a colour profile. Pillow's limit for it is the one for texts, 1 MiB."""
_MOST_TEXT = 64 << 10
_SURELY_SMALL = MOST_PROFILE // 1032
"""Deflate makes nothing more than 1,032 times as large."""
_LEAST = {b"pHYs": 9, b"cHRM": 32, b"gAMA": 4, b"sRGB": 1, b"tRNS": 1, b"iCCP": 3, b"acTL": 8}
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})

PngImagePlugin.MAX_TEXT_CHUNK = MOST_PROFILE  # no text comes through that is as large


def tidied(data: bytes, without: frozenset[bytes] = frozenset()) -> bytes:
    """The file without broken and large ancillary chunks, and without those named; `data` itself
    if it has none, as nearly every PNG. Pixels are not looked at."""
    kept, start, pixels = [data[:8]], 8, False
    for name, at, end in _chunks(data):
        if name == b"IDAT":
            pixels = True
        elif name in without or not _is_harmless(data, name, at, end, pixels=pixels):
            kept.append(data[start:at])
            start = end
    return data if start == 8 else b"".join([*kept, data[start:]])


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk; the end may lie behind the end of a file that is cut."""
    at = 8
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at, end
        at = end


def _is_harmless(data: bytes, name: bytes, at: int, end: int, *, pixels: bool) -> bool:
    """Whether Pillow reads the chunk, or has to: a critical one, or of an animation. What is cut
    off does no harm behind the pixels only."""
    if not name[:1].islower() or name in {b"fcTL", b"fdAT"}:
        return True
    if end > len(data):
        return not pixels
    if name in _TEXTS and (end - at > _MOST_TEXT or not _is_plain_text(data[at + 8 : end - 4])):
        return False
    body = data[at + 8 : end - 4]
    if zlib.crc32(body, zlib.crc32(name)) != int.from_bytes(data[end - 4 : end], "big"):
        return False
    return len(body) >= _LEAST.get(name, 0) and (name != b"iCCP" or _is_profile(body))


def _is_plain_text(body: bytes) -> bool:
    """Whether the text is not compressed, and no profile in the way of ImageMagick."""
    key, _, rest = body.partition(b"\0")
    return not key.startswith(b"Raw profile type") and rest[:1] not in {b"\0", b"\1"}


def _is_profile(body: bytes) -> bool:
    name, _, rest = body.partition(b"\0")
    if not name or rest[:1] != b"\0":  # the only method is 0
        return False
    if len(rest) <= _SURELY_SMALL:
        return True
    try:
        inflating = zlib.decompressobj()
        inflating.decompress(rest[1:], MOST_PROFILE)
    except zlib.error:
        return False
    return not inflating.unconsumed_tail
