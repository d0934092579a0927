"""The dictionary on Table Storage: which months, words and tags there are.

`months` holds the months of uploads, `words` the words of all records as they are written (folded,
not stemmed), `tags` their tags. An entry is written again when this process has not written it for
a while, so that one nobody writes any more shows by its age.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from captioning.domain.record import CaptionRecord
from captioning.errors import RecordChanged
from captioning.search.terms import Wording, month, tag_key
from captioning.storage.tables import Table

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
