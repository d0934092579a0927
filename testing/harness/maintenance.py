"""Storage, a clock and recorded messages for tests of cleanup, reconciliation and images."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord, Claim, ImageInfo, StoredRecord
from captioning.maintenance.cleanup import RecordCleanup
from captioning.maintenance.reconcile import Reconciler, ReconcileReport
from captioning.records.layout import Layout
from testing.factories.records import short
from testing.harness.storage import Storage

DAY = timedelta(hours=24)


class RecordedMessages:
    """Takes the place of MessageQueue and records what is put. `deep` is added to its depth."""

    def __init__(self) -> None:
        self.put_by: list[tuple[CaptionMessage, float]] = []
        self.deep = 0
        self._lock = threading.Lock()

    def put(self, wake: CaptionMessage, delay: float) -> None:
        with self._lock:
            self.put_by.append((wake, delay))

    def depth(self) -> int:
        return self.deep + len(self.put_by)

    def taken(self) -> list[str]:
        """Takes all messages off; their paths."""
        paths = sorted(wake.path for wake, _ in self.put_by)
        self.put_by.clear()
        return paths


class MaintenanceLab:
    """A container, a catalogue, and a clock that starts at the time of the test."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.messages = RecordedMessages()
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time

    def pass_time(self, **duration: float) -> None:
        """Moves the clock on."""
        self.time += timedelta(**duration)

    def upload(self, path: str, data: bytes = b"x") -> BlobDescription:
        """Uploads a blob and moves the clock to a day after that."""
        blob = self.storage.upload(path, data)
        self.time = max(self.time, blob.modified + timedelta(days=1))
        return blob

    def record(self, blob: BlobDescription, **changes: Any) -> CaptionRecord:
        """Saves a record of this upload, captioned unless changed, in place of any other."""
        image = ImageInfo(bytes=blob.bytes, etag=blob.etag, modified=blob.modified)
        record = replace(short(blob.path, blob.modified), image=image, **changes)
        self.storage.catalog.save(record, self.stored(blob.path))
        return record

    def claim(self, minutes: float) -> Claim:
        """A claim of a run that ends in these minutes."""
        return Claim("worker/1", self.time + timedelta(minutes=minutes))

    def stored(self, path: str) -> StoredRecord | None:
        """The record with its ETag, if any."""
        return self.storage.catalog.get(path)

    def found(self, path: str) -> CaptionRecord:
        """The record; fails if there is none."""
        stored = self.stored(path)
        assert stored
        return stored.record

    def listed(self) -> list[str]:
        """The paths that the index lists."""
        return sorted(record.path for record in self.storage.catalog.walk())

    def cleanup(self, *, images: Any = None, catalog: Any = None) -> RecordCleanup:
        """The cleanup over this storage, or over the given parts."""
        return RecordCleanup(
            images or self.storage.images,
            catalog or self.storage.catalog,
            self.storage.thumbnails,
            self.messages,
            self.now,
        )


class ReconcileLab(MaintenanceLab):
    """Storage with saved positions, and runs over it."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.state = storage.state

    def run(self, **changes: Any) -> ReconcileReport:
        """One run of the timer."""
        return self.reconciler(**changes).run()

    def reconciler(self, **changes: Any) -> Reconciler:
        """The reconciler over this storage."""
        keywords: dict[str, Any] = {
            "images": self.storage.images,
            "catalog": self.storage.catalog,
            "binding": Layout(self.storage.table),
            "queue": self.messages,
            "state": self.state,
            "forget": self.cleanup().forget,
            "forget_after": DAY,
            "lease": timedelta(minutes=2),
            "now": self.now,
        }
        return Reconciler(**(keywords | changes))

    def orphan(self, path: str) -> None:
        """A record whose blob is gone."""
        self.storage.catalog.save(short(path), None)


class InterceptedOnce:
    """A part with an action that runs once, before the first call of one method."""

    def __init__(self, part: Any, method: str, action: Any) -> None:
        self._part, self._method, self._action = part, method, action

    def __getattr__(self, name: str) -> Any:
        if name == self._method and self._action:
            action, self._action = self._action, None
            action()
        return getattr(self._part, name)
