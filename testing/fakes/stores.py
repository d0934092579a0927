"""What the pipeline keeps things in, in memory; safe to share between threads.

`tests/simulation/test_fakes_contract.py` holds each part against the real one. Faults come over the
line that a part is put on: `testing/fakes/faults.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from threading import Lock
from typing import Any, Generic, TypeVar

from captioning.budget.ledger import Tally
from captioning.domain.blobs import BlobDescription, ContainerIdentity
from captioning.domain.messages import CaptionMessage, NotificationMessage
from captioning.errors import BlobChanged, BlobGone, RecordChanged, RowMissing
from captioning.ports import Entity, Row, Write
from captioning.reuse.entries import ReuseEntry, StoredEntry

Key = TypeVar("Key")
Value = TypeVar("Value")


class Versions(Generic[Key, Value]):
    """Values by key; a write names the version it replaces, by its ETag, or None for a new one."""

    def __init__(self) -> None:
        self.held: dict[Key, tuple[Value, str]] = {}
        self._numbers = count(1)
        self._lock = Lock()

    def put(self, key: Key, value: Value, etag: str | None) -> str:
        """The new ETag; RecordChanged when another version is there."""
        with self._lock:
            self._check(key, etag)
            self.held[key] = (value, f'W/"{next(self._numbers)}"')
            return self.held[key][1]

    def delete(self, key: Key, etag: str) -> None:
        """Likewise; what is missing is no error."""
        with self._lock:
            if key in self.held:
                self._check(key, etag)
                del self.held[key]

    def _check(self, key: Key, etag: str | None) -> None:
        if self.held.get(key, (None, None))[1] != etag:
            raise RecordChanged("It was saved or removed by somebody else meanwhile.")


class MemoryTable:
    """For Table, as far as the catalogue needs it: transactions are atomic."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._held: dict[tuple[str, str], Row] = {}
        self._numbers = count(1)
        self._lock = Lock()

    def get(self, partition: str, row: str) -> Row | None:
        with self._lock:
            return self._held.get((partition, row))

    def page(
        self, partition: str, start: str, end: str, size: int, select: Sequence[str] = ()
    ) -> list[Entity]:
        with self._lock:
            rows = [key[1] for key in self._held if key[0] == partition]
            low, high = _in_order(start), _in_order(end)
            found = sorted((row for row in rows if low <= _in_order(row) < high), key=_in_order)
            found = found[:size]
            entities = [self._held[partition, row].entity for row in found]
        if not select:
            return entities
        return [{name: one[name] for name in select if name in one} for one in entities]

    def transact(self, writes: Sequence[Write]) -> str:
        assert 0 < len(writes) <= 100
        keys = [(str(one.entity["PartitionKey"]), str(one.entity["RowKey"])) for one in writes]
        assert len(set(keys)) == len(keys)
        assert len({partition for partition, _ in keys}) == 1
        with self._lock:
            for number, (key, write) in enumerate(zip(keys, writes, strict=True)):
                self._check(key, write, is_guard=number == 0)
            for key, write in zip(keys, writes, strict=True):
                if write.kind == "delete":
                    del self._held[key]
                    continue
                before = self._held[key].entity if write.kind == "merge" else {}
                etag = f'W/"{next(self._numbers)}"'
                self._held[key] = Row({**before, **write.entity}, etag, self._now())
            return self._held[keys[0]].etag if keys[0] in self._held else ""

    def _check(self, key: tuple[str, str], write: Write, *, is_guard: bool) -> None:
        held = self._held.get(key)
        fits = {
            "insert": held is None,
            "upsert": True,
            "delete": held is not None and write.etag in {None, held.etag},
        }.get(write.kind, held is not None and held.etag == write.etag)
        if not fits and is_guard:
            raise RecordChanged("Another process saved or removed it meanwhile.")
        if not fits:
            raise RowMissing(key[1])


def _in_order(key: str) -> bytes:
    """Row keys are sorted by their UTF-16 units."""
    return key.encode("utf-16-be", "surrogatepass")


class MemoryReuse:
    """For ReuseTable."""

    def __init__(self) -> None:
        self._versions: Versions[tuple[str, str], ReuseEntry] = Versions()

    def get(self, sha256: str, fingerprint: str) -> StoredEntry | None:
        found = self._versions.held.get((sha256, fingerprint))
        return StoredEntry(*found) if found else None

    def put(self, work: ReuseEntry, etag: str | None) -> str:
        return self._versions.put((work.sha256, work.fingerprint), work, etag)


@dataclass(frozen=True, slots=True)
class Message:
    """What was put by, and when it can be seen."""

    wake: CaptionMessage
    due: datetime


class MemoryDeferrals:
    """For the MessageQueue of images."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.held: list[Message] = []

    def put(self, message: CaptionMessage, delay: float) -> None:
        self.held.append(Message(message, self._now() + timedelta(seconds=delay)))

    def depth(self) -> int:
        return len(self.held)

    def due(self) -> list[Message]:
        """What can be seen now; who has done with a message removes it from `held`."""
        return [message for message in self.held if message.due <= self._now()]


class MemoryNotices:
    """For the MessageQueue of the webhook."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.held: list[tuple[NotificationMessage, datetime]] = []

    def put(self, message: NotificationMessage, delay: float) -> None:
        self.held.append((message, self._now() + timedelta(seconds=delay)))

    def depth(self) -> int:
        return len(self.held)

    def taken(self) -> list[NotificationMessage]:
        """What can be seen now, which is taken off the queue."""
        due = [item for item in self.held if item[1] <= self._now()]
        self.held = [item for item in self.held if item not in due]
        return [notice for notice, _ in due]


class MemoryImages:
    """For ImageContainer. `upload` and `delete` are the test's."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._numbers = count(1)
        self.held: dict[str, tuple[BlobDescription, bytes]] = {}

    def describe(self, path: str) -> BlobDescription:
        return self._held(path)[0]

    def read(self, blob: BlobDescription) -> bytes:
        found, data = self._held(blob.path)
        if found.etag != blob.etag:
            raise BlobChanged(blob.path)
        return data

    def page(self, size: int, marker: str | None) -> tuple[list[BlobDescription], str | None]:
        found = sorted(path for path in list(self.held) if path >= (marker or ""))[: size + 1]
        following = found[size] if len(found) > size else None
        return [self.held[path][0] for path in found[:size]], following

    def identity(self) -> ContainerIdentity:
        return ContainerIdentity("memory", "images", "1")

    def upload(self, path: str, data: bytes) -> BlobDescription:
        """Uploads a blob; what is known of it."""
        modified = self._now().replace(microsecond=0)
        blob = BlobDescription(path, len(data), f'"0x{next(self._numbers):X}"', modified)
        self.held[path] = (blob, data)
        return blob

    def delete(self, path: str) -> None:
        """Deletes a blob."""
        del self.held[path]

    def _held(self, path: str) -> tuple[BlobDescription, bytes]:
        found = self.held.get(path)
        if found is None:
            raise BlobGone(path)
        return found


class MemoryThumbnails:
    """For ThumbnailContainer, where nobody asks for one."""

    def get(self, image: BlobDescription, width: int) -> bytes | None:
        return None

    def put(self, image: BlobDescription, width: int, jpeg: bytes) -> None:
        """It is not kept."""

    def prune(self, path: str, etag: str | None) -> None:
        """There is nothing to remove."""


class MemoryState:
    """For StateTable."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Any] = {}

    def get(self, kind: str, name: str, read: Callable[[Any], Any] = lambda it: it) -> Any:
        return read(self.held[kind, name]) if (kind, name) in self.held else None

    def all(self, kind: str, read: Callable[[Any], Any] = lambda it: it) -> list[Any]:
        return [read(document) for key, document in sorted(self.held.items()) if key[0] == kind]

    def version(
        self, kind: str, name: str, read: Callable[[Any], Any] = lambda it: it
    ) -> tuple[Any, str | None]:
        document = self.get(kind, name)
        etag = None if document is None else json.dumps(document)
        return self.get(kind, name, read), etag

    def put(self, kind: str, name: str, document: Any) -> None:
        self.held[kind, name] = document

    def replace(self, kind: str, name: str, document: Any, etag: str | None) -> None:
        if self.version(kind, name)[1] != etag:
            raise RecordChanged("another version is there")
        self.put(kind, name, document)

    def delete(self, kind: str, name: str) -> None:
        self.held.pop((kind, name), None)


class MemoryUsage:
    """For UsageTable, under a Ledger."""

    def __init__(self) -> None:
        self.held: dict[tuple[date, str], Tally] = {}

    def save(self, day: date, worker: str, tally: Tally) -> None:
        self.held[day, worker] = tally

    def between(self, first: date, last: date) -> list[tuple[date, str, Tally]]:
        found = sorted(dict(self.held).items(), key=lambda item: item[0])
        return [(*key, tally) for key, tally in found if first <= key[0] <= last]
