"""The index on Table Storage: from a term to the images that have it, newest first.

PartitionKey is the term, RowKey the image's place and the version of the save that wrote the row.
Beside the terms, partitions of their own hold the notes of saves under way: `note~a`, by the first
digit of the record's id.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from captioning.domain.record import CaptionRecord
from captioning.errors import RecordChanged
from captioning.search.rows import BEGINNING, END, IndexRow, WriteIntent
from captioning.search.terms import Wording, month
from captioning.storage.entities import to_document, to_properties
from captioning.storage.tables import Table
from captioning.text.words import tag_key

MONTHS, WORDS, TAGS = "months", "words", "tags"
KNOWN_SECONDS = 600.0
"""For so long a written entry is taken to be there."""
UNUSED = timedelta(hours=1)
"""An entry that was not written for so long, and under which nothing is, may go."""
MOST_KNOWN = 200_000
_LAST_MONTH = 999_999
_MOST_MONTHS = 1_000
"""What one request gives."""
_LAST = "\ufffd"
"""Sorts behind every letter."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: `shown` is what a person reads."""

    partition: str
    key: str
    shown: str


class Dictionary:
    """Months, words and tags; safe to share between threads."""

    def __init__(
        self,
        table: Table,
        seconds: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table = table
        self._seconds, self._now = seconds, now
        self._known: dict[tuple[str, str], float] = {}
        self._changing = threading.Lock()

    def news(self, record: CaptionRecord) -> list[Entry]:
        """What the record has that this process has not written lately."""
        now = self._seconds()
        return [
            entry
            for entry in _entries(record)
            if self._known.get((entry.partition, entry.key), -KNOWN_SECONDS) <= now - KNOWN_SECONDS
        ]

    def add_all(self, entries: list[Entry]) -> list[Entry]:
        """Writes entries, in one attempt each; those that are left to `add`."""
        before = self._seconds()
        left = [str(row["RowKey"]) for row in self._table.upsert_all(list(map(_row, entries)))]
        self._know((entry for entry in entries if entry.key not in left), before)
        return [entry for entry in entries if entry.key in left]

    def add(self, entry: Entry) -> None:
        """Writes an entry."""
        before = self._seconds()
        self._table.upsert(_row(entry))
        self._know([entry], before)

    def months(self) -> list[str]:
        """Months with uploads, the newest first."""
        found = self._table.first(MONTHS, "", _LAST, _MOST_MONTHS, ["shown"])
        return [str(entity["shown"]) for entity in found]

    def words(self, beginning: str, most: int) -> list[str]:
        """Up to so many words that begin so, by the alphabet."""
        found = self._table.first(WORDS, beginning, beginning + _LAST, most, ["RowKey"])
        return [str(entity["RowKey"]) for entity in found]

    def tags(self, beginning: str, start: str, most: int) -> list[Entry]:
        """Up to so many tags whose key begins so, from a key on."""
        end = beginning + _LAST
        found = self._table.first(TAGS, max(beginning, start), end, most, ["RowKey", "shown"])
        return [Entry(TAGS, str(entity["RowKey"]), str(entity["shown"])) for entity in found]

    def _know(self, entries: Iterable[Entry], since: float) -> None:
        with self._changing:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known.update({(entry.partition, entry.key): since for entry in entries})

    def drop(self, entry: Entry) -> None:
        """Removes an entry that nobody has written for a while."""
        row = self._table.get(entry.partition, entry.key)
        if row and row.written < self._now() - UNUSED:
            with suppress(RecordChanged):
                self._table.delete(entry.partition, entry.key, row.etag)


def _row(entry: Entry) -> dict[str, str]:
    return {"PartitionKey": entry.partition, "RowKey": entry.key, "shown": entry.shown}


def _entries(record: CaptionRecord) -> Iterator[Entry]:
    name = month(record.image.modified).removeprefix("all~")
    year, _, number = name.partition("-")
    yield Entry(MONTHS, f"{_LAST_MONTH - int(year) * 100 - int(number):06d}", name)
    yield from (Entry(WORDS, word, word) for word in Wording(record).indexed)
    for tag in record.tags:
        if key := tag_key(tag.name):
            yield Entry(TAGS, key, tag.name)


Item = TypeVar("Item")
WRITERS = 64
"""Rows that a process writes at a time where storage did not take them at once."""
_DIGITS = "0123456789abcdef"
_PLAIN = frozenset({"announced"})


class IndexTable:
    """Rows of the table of terms; safe to share between threads."""

    def __init__(
        self, table: Table, dictionary: Dictionary | None = None, writers: int = WRITERS
    ) -> None:
        self._table = table
        self._dictionary = dictionary or Dictionary(table)
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="index")

    def add(self, rows: frozenset[IndexRow]) -> None:
        """Writes rows, many at the same time; those already there stay."""
        self._each(self._table.upsert, self._table.upsert_all([_keys(row) for row in rows]))

    def remove(self, rows: frozenset[IndexRow]) -> None:
        """Deletes rows likewise; missing ones are no error."""
        left = self._table.delete_all([(row.partition, row.row) for row in rows])
        self._each(lambda keys: self._table.delete(*keys), left)

    def learn(self, record: CaptionRecord) -> None:
        """Makes the record's words, tags and month known."""
        self._each(self._dictionary.add, self._dictionary.add_all(self._dictionary.news(record)))

    def page(self, partition: str, start: str, end: str, size: int) -> list[IndexRow]:
        """The first `size` rows of a partition from a position up to another, in one request."""
        found = self._table.first(partition, start, end, size, ["RowKey"])
        return [IndexRow(partition, str(entity["RowKey"])) for entity in found]

    def months(self) -> list[str]:
        """Months with uploads, the newest first."""
        return self._dictionary.months()

    def words(self, beginning: str, most: int) -> list[str]:
        """Words that begin so, in the order of the alphabet."""
        return self._dictionary.words(beginning, most)

    def tags(self, beginning: str, most: int) -> list[str]:
        """Tags that begin so and that images have, by the alphabet: a request, and one a tag."""
        shown: list[str] = []
        start = ""
        while len(shown) < most:
            entries = self._dictionary.tags(tag_key(beginning), start, most - len(shown))
            if not entries:
                break
            uses = self._writers.map(self._is_used, entries)
            shown += [entry.shown for entry, is_used in zip(entries, uses, strict=True) if is_used]
            start = f"{entries[-1].key}\0"
        return shown

    def announce(self, note: WriteIntent) -> None:
        """Keeps a note."""
        rows: dict[str, list[str]] = {}
        for row in sorted(note.rows):
            rows.setdefault(row.row, []).append(row.partition)
        document = {"announced": note.announced.isoformat(), "rows": rows}
        self._table.upsert({**_note_keys(note), **to_properties(document, _PLAIN)})

    def withdraw(self, note: WriteIntent) -> None:
        """Removes a note; a missing one is no error."""
        keys = _note_keys(note)
        self._table.delete(keys["PartitionKey"], keys["RowKey"])

    def notes(self) -> Iterator[WriteIntent]:
        """All notes, read as they are taken."""
        for digit in _DIGITS:
            notes = self._table.query("PartitionKey eq @notes", {"notes": f"note~{digit}"})
            yield from map(_note, notes)

    def close(self) -> None:
        """Ends the writing threads."""
        self._writers.shutdown()

    def _is_used(self, tag: Entry) -> bool:
        """Whether there are images under the tag; the entry of one that there are none for goes."""
        is_used = bool(self.page(f"tag~{tag.key}", BEGINNING, END, 1))
        if not is_used:
            self._dictionary.drop(tag)
        return is_used

    def _each(self, work: Callable[[Item], object], items: Iterable[Item]) -> None:
        """Does it for all of them at the same time; the first failure is raised when all ended."""
        under_way = [self._writers.submit(work, item) for item in items]
        failures = [error for ended in under_way if (error := ended.exception())]
        if failures:
            raise failures[0]


def _keys(row: IndexRow) -> dict[str, str]:
    return {"PartitionKey": row.partition, "RowKey": row.row}


def _note_keys(note: WriteIntent) -> dict[str, str]:
    return {"PartitionKey": f"note~{note.record_id[0]}", "RowKey": f"{note.record_id}-{note.key}"}


def _note(entity: dict[str, Any]) -> WriteIntent:
    document = to_document(entity, _PLAIN)
    identity, _, key = str(entity["RowKey"]).partition("-")
    rows = {IndexRow(term, row) for row, terms in document["rows"].items() for term in terms}
    return WriteIntent(
        identity, key, datetime.fromisoformat(document["announced"]), frozenset(rows)
    )
