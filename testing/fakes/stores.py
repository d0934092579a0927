"""What the pipeline keeps things in, in memory; safe to share between threads.

`tests/simulation/test_fakes_contract.py` holds each part against the real one. Faults come over the
line that a part is put on: `testing/fakes/faults.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from threading import Lock
from typing import Any, Generic, TypeVar

from captioning.budget.ledger import Tally
from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage, NotificationMessage
from captioning.domain.record import CaptionRecord, RowVersions, StoredRecord
from captioning.errors import BlobChanged, BlobGone, RecordChanged
from captioning.reuse.entries import ReuseEntry, StoredEntry
from captioning.search.rows import IndexRow, WriteIntent
from captioning.search.terms import Wording
from captioning.text.words import tag_key

Key = TypeVar("Key")
Value = TypeVar("Value")
Token = Mapping[str, str] | None


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


class MemoryRecords:
    """For RecordStore."""

    def __init__(self) -> None:
        self._stored: Versions[str, tuple[CaptionRecord, RowVersions]] = Versions()

    def get_all(self, record_ids: Sequence[str]) -> list[StoredRecord | None]:
        return [self.get(record_id) for record_id in record_ids]

    def get(self, record_id: str) -> StoredRecord | None:
        found = self._stored.held.get(record_id)
        if found is None:
            return None
        (record, versions), etag = found
        return StoredRecord(record, etag, versions)

    def put(self, record: CaptionRecord, etag: str | None, versions: RowVersions) -> str:
        return self._stored.put(record.id, (record, versions), etag)

    def delete(self, record_id: str, etag: str) -> None:
        self._stored.delete(record_id, etag)

    def all(self) -> list[StoredRecord]:
        """Every record; the tests' own."""
        found = [self.get(identity) for identity in list(self._stored.held)]
        return [stored for stored in found if stored]

    def paths(self, size: int, token: Token) -> tuple[list[str], Token]:
        start = token["after"] if token else ""
        found = sorted(item for item in dict(self._stored.held).items() if item[0] > start)
        following = {"after": found[size - 1][0]} if len(found) > size else None
        return [record.path for _, ((record, _), _) in found[:size]], following


class MemoryReuse:
    """For ReuseTable."""

    def __init__(self) -> None:
        self._versions: Versions[tuple[str, str], ReuseEntry] = Versions()

    def get(self, sha256: str, fingerprint: str) -> StoredEntry | None:
        found = self._versions.held.get((sha256, fingerprint))
        return StoredEntry(*found) if found else None

    def put(self, work: ReuseEntry, etag: str | None) -> str:
        return self._versions.put((work.sha256, work.fingerprint), work, etag)


class MemoryIndex:
    """For CaptionIndex."""

    def __init__(self) -> None:
        self.held: frozenset[IndexRow] = frozenset()
        self.announced: dict[str, WriteIntent] = {}
        self._known: set[str] = set()
        self._tags: dict[str, str] = {}
        self._lock = Lock()

    def add(self, rows: frozenset[IndexRow]) -> None:
        with self._lock:
            self.held |= rows

    def remove(self, rows: frozenset[IndexRow]) -> None:
        with self._lock:
            self.held -= rows

    def learn(self, record: CaptionRecord) -> None:
        self._known |= Wording(record).indexed
        self._tags |= {tag_key(tag.name): tag.name for tag in record.tags}

    def page(self, partition: str, start: str, end: str, size: int) -> list[IndexRow]:
        rows = (row for row in self.held if row.partition == partition and start <= row.row < end)
        return sorted(rows)[:size]

    def months(self) -> list[str]:
        months = {row.partition for row in self.held if row.partition.startswith("all~")}
        return sorted((month.removeprefix("all~") for month in months), reverse=True)

    def words(self, beginning: str, most: int) -> list[str]:
        return sorted(word for word in self._known if word.startswith(beginning))[:most]

    def tags(self, beginning: str, most: int) -> list[str]:
        used = {row.partition.removeprefix("tag~") for row in self.held}
        keys = sorted(used & self._tags.keys())
        return [self._tags[key] for key in keys if key.startswith(tag_key(beginning))][:most]

    def announce(self, note: WriteIntent) -> None:
        self.announced[note.key] = note

    def withdraw(self, note: WriteIntent) -> None:
        self.announced.pop(note.key, None)

    def notes(self) -> Iterator[WriteIntent]:
        yield from list(self.announced.values())


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

    def get(self, kind: str, name: str) -> Any:
        return self.held.get((kind, name))

    def put(self, kind: str, name: str, document: Any) -> None:
        self.held[kind, name] = document

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
