"""JPEG: files that lack only their end, and kinds that are not read."""

from __future__ import annotations

import io
from typing import Any

from PIL import JpegImagePlugin

END = b"\xff\xd9"
_MOST_SEGMENTS = 2_000
_PADDING = b"\x55" * 64
_PROCESSES = {0xC3: "a lossless JPEG", 0xC5: "a hierarchical JPEG", 0xC6: "a hierarchical JPEG"}


def frame_of(data: bytes, at: int = 0) -> tuple[int, int, int, int, int] | None:
    """Of the JPEG that begins at `at`: SOF marker, bits, width, height and where its first scan
    begins; None if its segments are broken or there is none."""
    found, at = None, at + 2
    for _ in range(_MOST_SEGMENTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in range(0xC0, 0xD0) and marker not in {0xC4, 0xC8, 0xCC}:
            high, wide = data[at + 5 : at + 7], data[at + 7 : at + 9]
            found = (marker, data[at + 4] if at + 4 < len(data) else 0, wide, high)
        if marker == 0xDA and found:
            kind, bits, wide, high = found
            return kind, bits, int.from_bytes(wide, "big"), int.from_bytes(high, "big"), at
        if length < 2:
            return None
        at += 2 + length
    return None


def unread(data: bytes) -> str:
    """What kind of JPEG it is, in words, if none that is read; else ""."""
    frame = frame_of(data)
    if frame is None:
        return ""
    marker, bits, *_ = frame
    return f"a {bits}-bit JPEG" if bits not in {0, 8} else _PROCESSES.get(marker, "")


def lacks_its_end(data: bytes) -> bool:
    """Whether no end marker follows the first scan. Scans hold none: theirs are escaped."""
    frame = frame_of(data)
    return frame is not None and data.rfind(END, frame[4]) < 0


class UnendedJpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG without its end marker. It loads if all pixels are there: bytes put behind its end
    then change nothing."""

    def __init__(self, data: bytes) -> None:
        self._data = data.rstrip(b"\xff")
        self._drafts: list[tuple[str | None, tuple[int, int] | None]] = []
        super().__init__(io.BytesIO(self._data + END))

    def draft(self, mode: str | None, size: tuple[int, int] | None) -> object:  # type: ignore[override]
        self._drafts.append((mode, size))
        return super().draft(mode, size)

    def load(self) -> Any:
        if not self.tile:
            return super().load()
        loaded = super().load()
        with JpegImagePlugin.JpegImageFile(io.BytesIO(self._data + _PADDING + END)) as other:
            for mode, size in self._drafts:
                other.draft(mode, size)
            if other.tobytes() != self.tobytes():
                raise OSError("pixels are missing at the end")
        return loaded
