"""Bursts: near-identical frames that are uploaded together share the answers to one of them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from captioning.domain.blobs import BlobDescription
from captioning.domain.record import Claim
from captioning.errors import ContentInProgress, StorageUnavailable
from captioning.images.sketch import Sketch
from captioning.providers import Picture
from captioning.reuse.entries import ReuseEntry, ReuseStore

MOST_AROUND = 50
"""Frames of a group whose hashes are compared: the newest in the window."""
MOST_LOOKED_AT = 3
"""Frames with a similar hash whose pixels are compared."""

log = logging.getLogger("captioning.reuse")


@dataclass(frozen=True, slots=True)
class Frame:
    """An image that may be one of a burst.

    `group` is a hash of folder, size and fingerprint, which the frames of a burst share; `since` is
    when a run began to process it. Frames that were listed have a sketch without pixels.
    """

    group: str
    sha256: str
    uploaded: datetime
    since: datetime
    sketch: Sketch


class Frames(Protocol):
    """The table of frames. Every method raises StorageUnavailable."""

    def put(self, frame: Frame) -> None:
        """Writes the frame."""

    def around(self, frame: Frame, window: timedelta, most: int) -> list[Frame]:
        """Up to `most` other frames of its group, uploaded at most `window` before or after it."""

    def pixels(self, frame: Frame) -> bytes | None:
        """The pixels of the frame's sketch; None if it is gone."""

    def remove(self, frame: Frame) -> None:
        """Removes the frame, if it is there."""


class Bursts:
    """Finds the frame whose answers serve for another one; safe to share between threads.

    A run that is about to pay writes its frame first and then reads the others: of two that do so
    at the same time at least one sees the other, and the later one waits. Answers that a frame took
    over are not passed on to a third frame, so that a group does not drift.
    """

    def __init__(
        self,
        *,
        frames: Frames,
        store: ReuseStore,
        is_near: Callable[[Sketch, Sketch], bool],
        window: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._frames = frames
        self._store = store
        self._is_near = is_near
        self._window = window
        self._now = now

    def leader(
        self,
        entry: ReuseEntry,
        picture: Picture,
        blob: BlobDescription,
        holds: Callable[[Claim], bool],
    ) -> ReuseEntry | None:
        """The finished entry of a near-identical frame; None if this one has to be paid for, which
        includes that storage fails. ContentInProgress while the other frame is being paid for, by a
        run whose claim `holds`."""
        frame = Frame(
            group_of(entry.fingerprint, blob.path, picture.width, picture.height),
            entry.sha256,
            blob.modified,
            self._now(),
            picture.sketch(),
        )
        try:
            self._frames.put(frame)  # before reading the others: see the class
            return self._found(frame, entry.fingerprint, holds)
        except StorageUnavailable as error:
            log.warning("Storage fails, a burst is not looked for: %s", error.message)
            return None

    def _found(
        self, frame: Frame, fingerprint: str, holds: Callable[[Claim], bool]
    ) -> ReuseEntry | None:
        for other in self._alike(frame):
            stored = self._store.get(other.sha256, fingerprint)
            if stored is None or stored.work.burst or stored.work.refusal:
                continue
            known = stored.work
            if known.analysis and known.analysis.text:
                return None  # pages and signs look alike and differ in their text
            if known.is_done:
                if known.analysis is None or known.captioning is None:
                    return None
                self._withdraw(frame)
                return known
            if known.claim and holds(known.claim) and _turn(other) < _turn(frame):
                self._withdraw(frame)
                raise ContentInProgress(
                    f"A near-identical frame is being captioned, {known.path}; its caption may"
                    " serve for this one."
                )
        return None

    def _withdraw(self, frame: Frame) -> None:
        """Removes a frame that waits or takes answers over, so that others do not compare with it.
        If that fails, its entry tells them as much."""
        with suppress(StorageUnavailable):
            self._frames.remove(frame)

    def _alike(self, frame: Frame) -> Iterator[Frame]:
        """Near-identical frames, in the order in which runs began to process them."""
        around = self._frames.around(frame, self._window, MOST_AROUND)
        alike = sorted((o for o in around if o.sketch.may_be(frame.sketch)), key=_turn)
        for other in alike[:MOST_LOOKED_AT]:
            pixels = self._frames.pixels(other)
            if pixels and self._is_near(replace(other.sketch, pixels=pixels), frame.sketch):
                yield other


def _turn(frame: Frame) -> tuple[datetime, str]:
    return frame.since, frame.sha256


def group_of(fingerprint: str, path: str, width: int, height: int) -> str:
    """A hash of what the frames of a burst have in common; the size is in pixels."""
    folder = path.rpartition("/")[0]
    parts = [fingerprint, folder, width, height]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
