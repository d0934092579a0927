"""Has pictures decoded by helpers, so that none of them takes the app down or holds others up.

Events and HTTP requests have lanes of their own. Their helpers may use half of the memory. What
needs more goes to the one helper of a third lane, at a lower priority: two such pictures are never
in memory at the same time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from captioning.errors import (
    CorruptImage,
    ImageRejected,
    ImageTooLarge,
    ImageTooSmall,
    ServiceUnavailable,
    UnsupportedFormat,
)
from captioning.images.helpers.channel import Said
from captioning.images.helpers.lane import Lane
from captioning.images.helpers.process import Died, Kind, OutOfMemory, OutOfTime
from captioning.images.inspected import Facts, ImageHeader, Picture, picture_of
from captioning.images.rendition import InputLimits, Rendition
from captioning.images.sketch import Sketch

TASKS = "captioning.images.helpers.tasks"
REQUESTS = 2
"""HTTP requests whose pictures are decoded at the same time."""
SPARES = 2
"""Slow pictures of a lane that leave their slots to others."""
LOW_PRIORITY = 5
RESERVED = 48
"""MiB of a helper that are not for the bytes of a file."""
_REJECTED: dict[str, Callable[[str], ImageRejected]] = {
    each.code: each for each in (ImageTooLarge, ImageTooSmall, UnsupportedFormat, CorruptImage)
}
_MOST_MESSAGE = 1_000


class Decoders:
    """Decodes pictures in processes that may use `memory` MiB and take `seconds` each; safe to
    share between threads. `environ` is their environment.

    Every method raises ImageRejected, and ServiceUnavailable where no helper is free or starts.
    Nothing is started before the first picture.
    """

    def __init__(
        self, memory: int, seconds: int, environ: Mapping[str, str], tasks: str = TASKS
    ) -> None:
        self._memory, self._seconds = memory, seconds
        light = Kind(memory // 2, 0, tasks, environ)
        heavy = Kind(memory, LOW_PRIORITY, tasks, environ)
        self._events = Lane(light, max(2, os.cpu_count() or 1), SPARES, seconds)
        self._requests = Lane(light, REQUESTS, SPARES, seconds)
        self._heavy = Lane(heavy, 1, 0, seconds)
        self._next_event = threading.Lock()

    def inspect(self, data: bytes) -> Picture:
        """The picture, with what was made of its pixels."""
        said, made = self._ask(self._events, data, {"task": "inspect"})
        try:
            return _picture(said, made, data, partial(self.rendition, data))
        except (LookupError, TypeError, ValueError) as error:
            raise self._harmful() from error

    def rendition(self, data: bytes, limits: InputLimits) -> Rendition:
        """An upright JPEG within the limits of a service."""
        asked = {
            "formats": sorted(limits.formats),
            "max_bytes": limits.max_bytes,
            "min_side": limits.min_side,
            "max_side": limits.max_side,
        }
        said, made = self._ask(self._events, data, {"task": "rendition", "limits": asked})
        try:
            return _rendition(said, made)
        except (LookupError, TypeError, ValueError) as error:
            raise self._harmful() from error

    def thumbnail(self, data: bytes, width: int) -> bytes:
        """An upright JPEG of that width."""
        return self._ask(self._requests, data, {"task": "thumbnail", "width": width})[1]

    def read_header(self, data: bytes) -> ImageHeader:
        """What the header says."""
        return self._header(data, {"task": "read_header"})

    def check_header(self, data: bytes, min_side: int) -> ImageHeader:
        """What the header of a new image says, where it has at least these sides."""
        return self._header(data, {"task": "check_header", "min_side": min_side})

    def close(self) -> None:
        """Ends the helpers."""
        for lane in (self._events, self._requests, self._heavy):
            lane.close()

    def _header(self, data: bytes, said: Said) -> ImageHeader:
        said, _ = self._ask(self._requests, data, said)
        try:
            return ImageHeader(
                _text(said["format"]),
                _text(said["media_type"]),
                _whole(said["width"]),
                _whole(said["height"]),
            )
        except (LookupError, TypeError, ValueError) as error:
            raise self._harmful() from error

    def _ask(self, lane: Lane, data: bytes, said: Said) -> tuple[Said, bytes]:
        """A helper's answer. A picture that is too heavy for the lane is decoded in the other."""
        try:
            answer, made = {"heavy": True}, b""
            if _has_room(self._memory // 2, data):
                answer, made = lane.ask({**said, "light": True}, data)
            if "heavy" in answer or "lacks" in answer:
                if not _has_room(self._memory, data):
                    raise OutOfMemory
                answer, made = self._ask_heavy(lane, data, {**said, "light": False})
        except OutOfTime:
            raise CorruptImage(
                f"Decoding the image takes more than {self._seconds} seconds (DECODE_SECONDS). Save"
                " it again in another program, or in a smaller size, and upload that."
            ) from None
        except Died:
            raise self._harmful() from None
        except OutOfMemory:
            raise self._too_heavy() from None
        if "lacks" in answer:
            raise self._too_heavy()
        if "rejected" in answer:
            raise self._rejected(answer)
        if "fault" in answer:
            raise RuntimeError(f"decoding failed by a fault of the app: {answer['fault']!r:.100}")
        return answer, made

    def _ask_heavy(self, lane: Lane, data: bytes, said: Said) -> tuple[Said, bytes]:
        """Of all events one at a time waits for this lane, so that a request never waits for more
        than two of them."""
        if lane is self._requests:
            return self._heavy.ask(said, data)
        if not self._next_event.acquire(timeout=self._seconds):
            raise ServiceUnavailable("Many large pictures are being decoded. Try again.")
        try:
            return self._heavy.ask(said, data)
        finally:
            self._next_event.release()

    def _rejected(self, said: Said) -> ImageRejected:
        """The error that a helper tells. Its text is not trusted to be short."""
        make, message = _REJECTED.get(str(said["rejected"])), said.get("message")
        if make is None or not isinstance(message, str):
            return self._harmful()
        return make(message[:_MOST_MESSAGE])

    def _too_heavy(self) -> ImageTooLarge:
        return ImageTooLarge(
            f"Decoding the image takes more than {self._memory} MiB of memory (DECODE_MEMORY_MIB)."
            " Upload a smaller version, or one saved as a JPEG that is not progressive; or raise"
            " the setting, if the instance has more, and ask for the caption again."
        )

    @staticmethod
    def _harmful() -> CorruptImage:
        return CorruptImage(
            "Decoding the image ended its process: the file is damaged, or made to do harm. Save it"
            " again in another program, and upload that."
        )


def _has_room(memory: int, data: bytes) -> bool:
    """Whether a helper can receive the bytes at all, and has some memory left then."""
    return len(data) <= (memory - RESERVED) << 20


def _picture(
    said: Said, made: bytes, data: bytes, reencode: Callable[[InputLimits], Rendition]
) -> Picture:
    facts, sketch = said["facts"], said["sketch"]
    length = _whole(sketch["bytes"])
    known = Facts(
        format=_text(facts["format"]),
        media_type=_text(facts["media_type"]),
        width=_whole(facts["width"]),
        height=_whole(facts["height"]),
        frames=_whole(facts["frames"]),
        orientation=_whole(facts["orientation"], 8),
        is_unambiguous=facts["is_unambiguous"] is True,
        color=_text(facts["color"]),
        is_srgb=facts["is_srgb"] is True,
    )
    likeness = Sketch(_whole(sketch["hash"], 2**64, least=0), made[:length])
    return picture_of(data, known, _rendition(said["model"], made[length:]), likeness, reencode)


def _rendition(said: Said, made: bytes) -> Rendition:
    stored = _whole(said["stored"][0]), _whole(said["stored"][1])
    width, height = _whole(said["width"]), _whole(said["height"])
    return Rendition(made, "image/jpeg", width, height, 1, stored)


def _whole(value: Any, most: int = 2**31, *, least: int = 1) -> int:
    if type(value) is int and least <= value <= most:
        return value
    raise ValueError("not a whole number as it should be")


def _text(value: Any) -> str:
    if isinstance(value, str) and len(value) <= 100:
        return value
    raise ValueError("not a text as it should be")
