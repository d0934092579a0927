"""The catalogue: records and the index rows that lead to them, kept in step.

Rows are written before the record and removed after it, so a crash leaves at worst rows that no
record stands behind any more. Searches leave those out. A note is kept while a save is at it:
whoever finds an old one removes what was left behind.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Protocol

from captioning.domain.record import CaptionRecord, RowVersions, StoredRecord, record_id
from captioning.errors import RecordChanged, StorageUnavailable
from captioning.search.query import Query
from captioning.search.rows import BEGINNING, IndexedRecord, IndexRow, Page, WriteIntent, rows_of
from captioning.search.search import Rows, Search

LATEST_COMMIT = timedelta(minutes=10)
"""A save that has not come so far by then is given up."""
ABANDONED = timedelta(hours=1)
"""The save of a note that is older has ended, one way or the other."""
PAGE = 100
"""Records that a walk reads at a time."""
EVERYTHING = Query()


class Records(Protocol):
    """Where records are kept."""

    def get(self, record_id: str) -> StoredRecord | None: ...
    def get_all(self, record_ids: Sequence[str]) -> Sequence[StoredRecord | None]: ...
    def put(self, record: CaptionRecord, etag: str | None, versions: RowVersions) -> str: ...
    def delete(self, record_id: str, etag: str) -> None: ...


class Index(Rows, Protocol):
    """Where the rows are kept."""

    def add(self, rows: frozenset[IndexRow]) -> None: ...
    def learn(self, record: CaptionRecord) -> None: ...
    def remove(self, rows: frozenset[IndexRow]) -> None: ...
    def announce(self, note: WriteIntent) -> None: ...
    def withdraw(self, note: WriteIntent) -> None: ...
    def tags(self, beginning: str, most: int) -> list[str]: ...
    def notes(self) -> Iterator[WriteIntent]: ...


class Catalog:
    """Lookups by path or id, searches newest first, and saves that keep both true."""

    def __init__(
        self,
        records: Records,
        index: Index,
        readers: int = 16,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = records
        self._index = index
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="catalog")
        self._now = now

    def get(self, path: str) -> StoredRecord | None:
        """The record of a blob."""
        return self.get_by_id(record_id(path))

    def get_by_id(self, identity: str) -> StoredRecord | None:
        """The record with this id: the SHA-256 of its path in hex."""
        return self._records.get(identity)

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        """Replaces `previous` and returns what is stored now; RecordChanged when it is not the
        latest."""
        listed = IndexedRecord.of(previous) if previous else None
        listing = IndexedRecord.following(listed, record)
        before, after = listed.rows if listed else frozenset(), listing.rows
        if before == after:
            return self._put(record, previous, listing)
        note = self._announce(record.id, before ^ after)
        self._index.add(after - before)
        self._index.learn(record)
        if self._now() - note.announced > LATEST_COMMIT:
            raise StorageUnavailable("The index took too long to write.")
        try:
            stored = self._put(record, previous, listing)
        except RecordChanged:
            self._settle(note)
            raise
        self._index.remove(before - after)
        self._index.withdraw(note)
        return stored

    def remove(self, stored: StoredRecord) -> None:
        """Removes a record and its rows; RecordChanged when another version is there."""
        note = self._announce(stored.record.id, rows_of(stored))
        try:
            self._records.delete(stored.record.id, stored.etag)
        except RecordChanged:
            self._settle(note)
            raise
        self._settle(note)

    def search(self, query: Query, limit: int, position: str = BEGINNING) -> Page:
        """Up to `limit` records that answer the query, newest first, from a position on."""
        return Search(query, self._index, self._records.get_all, self._readers).page(
            limit, position
        )

    def walk(self, query: Query = EVERYTHING) -> Iterator[CaptionRecord]:
        """Every record that answers the query, newest first, read as they are taken."""
        position: str | None = BEGINNING
        while position is not None:
            found = self.search(query, PAGE, position)
            yield from found.records
            position = found.next

    def tags(self, beginning: str, most: int) -> list[str]:
        """Tags that begin so and that images have, by the alphabet."""
        return self._index.tags(beginning, most)

    def settle(self) -> int:
        """Removes what saves that were broken off have left behind; how many there were."""
        count = 0
        for note in self._index.notes():
            if self._now() - note.announced > ABANDONED:
                self._settle(note)
                count += 1
        return count

    def close(self) -> None:
        """Ends the reading threads."""
        self._readers.shutdown()

    def _put(
        self, record: CaptionRecord, previous: StoredRecord | None, listing: IndexedRecord
    ) -> StoredRecord:
        etag = self._records.put(record, previous.etag if previous else None, listing.versions)
        return StoredRecord(record, etag, listing.versions)

    def _announce(self, identity: str, rows: frozenset[IndexRow]) -> WriteIntent:
        note = WriteIntent(identity, uuid.uuid4().hex, self._now(), rows)
        self._index.announce(note)
        return note

    def _settle(self, note: WriteIntent) -> None:
        """Removes rows that the record does not stand behind; those of its saves are theirs."""
        self._index.remove(note.rows - rows_of(self._records.get(note.record_id)))
        self._index.withdraw(note)
