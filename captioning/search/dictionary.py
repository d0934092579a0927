"""The dictionary: which words and tags there are, for beginnings of words and lists of tags.

One partition, `dictionary`, with a row for each word as it is written (`word~surfing`: folded, not
stemmed) and each tag (`tag~golden retriever`). It is written before the record whose words it has,
and stays behind when a record goes, unless that is erased: a word too many costs a look, a missing
one hides a record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from captioning.domain.record import CaptionRecord
from captioning.errors import RecordChanged
from captioning.ports import EntityTable, Write
from captioning.search.terms import Wording
from captioning.text.words import tag_key

PARTITION = "dictionary"
KNOWN_SECONDS = 600.0
"""For so long a written entry is taken to be there."""
UNUSED = timedelta(hours=1)
"""An entry that was not written for so long, and that no record has, may be removed."""
MOST_KNOWN = 200_000
_AT_ONCE = 100
"""Entries that one transaction writes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A word or a tag; `shown` is what a person reads."""

    key: str
    shown: str


class Dictionary:
    """Words and tags; safe to share between threads."""

    def __init__(
        self,
        table: EntityTable,
        seconds: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._table = table
        self._seconds, self._now = seconds, now
        self._known: dict[str, float] = {}
        self._changing = threading.Lock()

    def learn(self, record: CaptionRecord) -> None:
        """Writes the record's words and tags, but for those that this process wrote lately."""
        before = self._seconds()
        news = {
            entry.key: entry
            for entry in self.entries(record)
            if self._known.get(entry.key, -KNOWN_SECONDS) <= before - KNOWN_SECONDS
        }
        entries = iter(news.values())
        while some := list(islice(entries, _AT_ONCE)):
            self._table.transact([Write("upsert", _row(entry)) for entry in some])
        with self._changing:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known.update(dict.fromkeys(news, before))

    def entries(self, record: CaptionRecord) -> list[Entry]:
        """The record's words and tags."""
        return list(_entries(record))

    def erase(self, entry: Entry, is_used: Callable[[], bool]) -> None:
        """Removes an entry that no record has."""
        row = self._table.get(PARTITION, entry.key)
        if row is None or is_used():
            return
        with self._changing:
            self._known.pop(entry.key, None)
        # Of the version that was read before the look: whoever writes the entry meanwhile is about
        # to save a record with it. One that was saved since by a process that knows the entry
        # writes none, so it is looked for again.
        with suppress(RecordChanged):
            self._table.transact([Write("delete", row.entity, row.etag)])
            if is_used():
                self._table.transact([Write("upsert", row.entity)])

    def words(self, beginning: str, most: int) -> list[str]:
        """Up to so many words that begin so, alphabetically."""
        return [entry.shown for entry in self._from(f"word~{beginning}", "", most)]

    def tags(self, beginning: str, start: str, most: int) -> list[Entry]:
        """Up to so many tags whose key begins so, from a key on; keys without `tag~`."""
        found = self._from(f"tag~{beginning}", f"tag~{start}", most)
        return [Entry(entry.key.removeprefix("tag~"), entry.shown) for entry in found]

    def drop(self, tag: Entry) -> None:
        """Removes a tag that no process has written for a while."""
        row = self._table.get(PARTITION, f"tag~{tag.key}")
        if row and row.written < self._now() - UNUSED:
            try:
                self._table.transact([Write("delete", row.entity, row.etag)])
            except RecordChanged:
                return  # another process has just written it

    def _from(self, beginning: str, start: str, most: int) -> list[Entry]:
        # The bound is right in either order of characters, by code points or UTF-16 units.
        last = beginning.rstrip("~")
        end = last[:-1] + chr(ord(last[-1]) + 1)
        found = self._table.page(PARTITION, max(beginning, start), end, most, ["RowKey", "shown"])
        return [_entry(str(entity["RowKey"]), entity.get("shown")) for entity in found]


def _entry(key: str, shown: object) -> Entry:
    """The entry of a row. Where another program broke it, the key says nearly the same."""
    return Entry(key, shown if isinstance(shown, str) else key.partition("~")[2])


def _row(entry: Entry) -> dict[str, str]:
    return {"PartitionKey": PARTITION, "RowKey": entry.key, "shown": entry.shown}


def _entries(record: CaptionRecord) -> Iterator[Entry]:
    yield from (Entry(f"word~{word}", word) for word in Wording(record).indexed)
    for tag in record.tags:
        if key := tag_key(tag.name):
            yield Entry(f"tag~{key}", tag.name)
