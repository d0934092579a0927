"""Bursts: near-identical frames that are uploaded together share what one of them was paid for."""

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
from captioning.errors import ContentInProgress, StorageUnavailable
from captioning.images.sketch import Sketch
from captioning.providers import InspectedPicture
from captioning.reuse.entries import ReuseEntry, ReuseStore


@dataclass(frozen=True, slots=True)
class Frame:
    """An image that may be one of a burst.

    `group` names what is uploaded to one folder in one size, for captions of one kind; `since` is
    when a run began to look after it. Listed frames have a sketch without pixels.
    """

    group: str
    sha256: str
    uploaded: datetime
    since: datetime
    sketch: Sketch


MOST_AROUND = 50
"""Frames of a group whose hashes are compared: the newest that were uploaded about then."""


MOST_LOOKED_AT = 3
"""Of these, frames whose pixels are."""


log = logging.getLogger(__name__)


class Frames(Protocol):
    """Where frames are kept."""

    def put(self, frame: Frame) -> None: ...
    def around(self, frame: Frame, window: timedelta, most: int) -> list[Frame]: ...
    def pixels(self, frame: Frame) -> bytes | None: ...
    def remove(self, frame: Frame) -> None: ...


class Bursts:
    """Finds the frame whose answers serve for another; safe to share between threads.

    Whoever is about to pay says so first, and looks at the others then: of two that do so at the
    same time at least one sees the other, and the later waits. A frame that was given its answers
    is never passed on, so that a group does not drift.
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
        self, work: ReuseEntry, picture: InspectedPicture, blob: BlobDescription
    ) -> ReuseEntry | None:
        """The finished work of a near-identical frame; None where this one is to be paid for, which
        is also where storage fails. ContentInProgress while the other is being paid for."""
        frame = Frame(
            _group(work.fingerprint, blob.path, picture),
            work.sha256,
            blob.modified,
            self._now(),
            picture.sketch(),
        )
        try:
            self._frames.put(frame)
            return self._found(frame, work.fingerprint)
        except StorageUnavailable as error:
            log.warning("Bursts are not looked for: %s", error.message)
            return None

    def _found(self, frame: Frame, fingerprint: str) -> ReuseEntry | None:
        for other in self._alike(frame):
            stored = self._store.get(other.sha256, fingerprint)
            if stored is None or stored.work.burst or stored.work.refusal:
                continue
            known = stored.work
            if known.analysis and known.analysis.text:
                return None  # a page or a sign looks like another that says something else
            if known.is_done:
                if known.analysis is None or known.captioning is None:
                    return None
                self._withdraw(frame)
                return known
            claimed = known.claim is not None and known.claim.until > self._now()
            if claimed and _turn(other) < _turn(frame):
                self._withdraw(frame)
                raise ContentInProgress(
                    f"A near-identical frame is being captioned, {known.path}; what is said of it"
                    " may serve for this one."
                )
        return None

    def _withdraw(self, frame: Frame) -> None:
        """Who waits, or was given answers, is nobody for others to look at. Where that fails they
        see as much by its work."""
        with suppress(StorageUnavailable):
            self._frames.remove(frame)

    def _alike(self, frame: Frame) -> Iterator[Frame]:
        """Near-identical frames, those that were looked after first before others."""
        around = self._frames.around(frame, self._window, MOST_AROUND)
        alike = sorted((o for o in around if o.sketch.may_be(frame.sketch)), key=_turn)
        for other in alike[:MOST_LOOKED_AT]:
            pixels = self._frames.pixels(other)
            if pixels and self._is_near(replace(other.sketch, pixels=pixels), frame.sketch):
                yield other


def _turn(frame: Frame) -> tuple[datetime, str]:
    return frame.since, frame.sha256


def _group(fingerprint: str, path: str, picture: InspectedPicture) -> str:
    """Names what a frame can be of one burst with: the folder's, of its size, asked alike."""
    folder = path.rpartition("/")[0]
    parts = [fingerprint, folder, picture.width, picture.height]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
