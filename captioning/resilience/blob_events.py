"""Which images came by their blob's event, and which came without one.

An image comes without its event where a message of `reconcile` has made its record. That is noted
as a mark, which an event that comes later clears. Where events arrive as they should, nothing is
written but the time of the latest, once a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord, record_id
from captioning.errors import StorageUnavailable
from captioning.ports import StateStore

MARKS = "unheard"
KIND, LATEST = "events", "latest"
EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Latest:
    """When an event came last, and the latest upload that any has been about."""

    at: datetime
    uploaded: datetime


class BlobEvents:
    """Notes for all processes what came by an event; safe to share between threads."""

    def __init__(self, state: StateStore, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now
        self._lock = Lock()
        self._latest: Latest | None = None
        self._written: datetime | None = None

    def delivered(
        self, message: CaptionMessage, blob: BlobDescription, known: CaptionRecord | None
    ) -> None:
        """Notes a delivery that found this record. StorageUnavailable where a mark that is no
        longer true could not be cleared."""
        if message.source != "event":
            return
        if message.ticket is None and not message.attempts:  # and not an event of hours ago
            with suppress(StorageUnavailable):
                self._note(blob.modified)
        if known and known.image.etag == blob.etag:
            self._state.delete(MARKS, record_id(blob.path))

    def claimed(self, message: CaptionMessage, record: CaptionRecord, *, is_new: bool) -> None:
        """Marks an image whose record, for an upload that `is_new`, a message of reconcile has
        made. To be called once the record is saved: an event that comes before finds no record,
        and one that comes after clears the mark."""
        if is_new and message.source == "reconcile":
            uploaded = record.image.modified.isoformat()
            with suppress(StorageUnavailable):
                document = {"path": record.path, "uploaded": uploaded}
                self._state.put(MARKS, record.id, document)

    def marks(self) -> dict[str, datetime]:
        """The time of upload of the images that came without an event, by path. Where there are
        none, this is one request."""
        return dict(self._state.all(MARKS, _mark))

    def clear(self, path: str) -> None:
        """Deletes the mark of a path, if there is one."""
        self._state.delete(MARKS, record_id(path))

    def latest(self) -> Latest | None:
        """The latest event by any process, as of a minute ago; None where none ever came."""
        found: Latest | None = self._state.get(KIND, LATEST, _latest)
        return found

    def _note(self, uploaded: datetime) -> None:
        now = self._now()
        with self._lock:
            before = self._latest
            self._latest = Latest(now, max(uploaded, before.uploaded) if before else uploaded)
            if self._written and timedelta() <= now - self._written < EVERY:
                return
            self._written, mine = now, self._latest
        others = self.latest()
        about = max(mine.uploaded, others.uploaded) if others else mine.uploaded
        note = {"at": now.isoformat(), "uploaded": about.isoformat()}
        self._state.put(KIND, LATEST, note)


def _mark(document: dict[str, Any]) -> tuple[str, datetime]:
    return str(document["path"]), moment(document["uploaded"])


def _latest(document: dict[str, Any]) -> Latest:
    return Latest(moment(document["at"]), moment(document["uploaded"]))


def moment(text: str) -> datetime:
    """The time of a row. ValueError where it names no zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time needs its zone")
    return found
