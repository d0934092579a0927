"""The catalogue: records and the index rows that lead to them, kept in step.

Rows are written before the record and removed after it, so a crash leaves at worst a row that the
record does not stand behind any more; readers drop those.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol

from captioning.listing import IndexRow, Page
from captioning.models import CaptionRecord, StoredRecord, record_id


class Records(Protocol):
    """Where records are kept."""

    def get(self, record_id: str) -> StoredRecord | None: ...
    def put(self, record: CaptionRecord, etag: str | None) -> str: ...
    def delete(self, record_id: str, etag: str) -> None: ...


class Index(Protocol):
    """Where the rows are kept."""

    def rows(self, record: CaptionRecord) -> frozenset[IndexRow]: ...
    def add(self, rows: frozenset[IndexRow]) -> None: ...
    def remove(self, rows: frozenset[IndexRow]) -> None: ...
    def newest(self, after: IndexRow | None, page_size: int) -> Iterator[IndexRow]: ...


class Catalog:
    """Lookups by path or id, listing newest first, and saves that keep both true."""

    def __init__(self, records: Records, index: Index, readers: int = 16) -> None:
        self._records = records
        self._index = index
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="catalog")

    def get(self, path: str) -> StoredRecord | None:
        """The record of a blob."""
        return self.get_by_id(record_id(path))

    def get_by_id(self, identity: str) -> StoredRecord | None:
        """The record with this id: the SHA-256 of its path in hex."""
        return self._records.get(identity)

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> str:
        """Replaces `previous` and returns the new ETag; RecordChanged when it is not the latest."""
        old = self._index.rows(previous.record) if previous else frozenset()
        new = self._index.rows(record)
        self._index.add(new - old)
        etag = self._records.put(record, previous.etag if previous else None)
        self._index.remove(old - new)
        return etag

    def remove(self, stored: StoredRecord) -> None:
        """Removes a record and its rows; RecordChanged when another version is there."""
        self._records.delete(stored.record.id, stored.etag)
        self._index.remove(self._index.rows(stored.record))
        again = self._records.get(stored.record.id)
        if again:  # uploaded meanwhile, and in the same second its rows are the same
            self._index.add(self._index.rows(again.record))

    def page(self, limit: int, after: IndexRow | None = None) -> Page:
        """Up to `limit` records after a row. Costs a query a month and a read a record."""
        rows = self._index.newest(after, limit + 1)
        records: list[CaptionRecord] = []
        while len(records) < limit and (batch := list(islice(rows, limit - len(records)))):
            after = batch[-1]
            records += (record for record in self._readers.map(self._behind, batch) if record)
        more = next(rows, None) is not None
        return Page(tuple(records), after if more else None)

    def close(self) -> None:
        """Ends the reading threads."""
        self._readers.shutdown()

    def _behind(self, row: IndexRow) -> CaptionRecord | None:
        """The record of a row, unless it no longer stands behind it."""
        stored = self._records.get(row.record_id)
        return stored.record if stored and row in self._index.rows(stored.record) else None
