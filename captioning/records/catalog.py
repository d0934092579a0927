"""The catalogue: records and the index that leads to them, in one table.

A record, its copy in the order of uploads and its postings are one transaction (`writer.py`), so
none is ever without the others. A search asks the partitions side by side (`captioning.search`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from captioning.domain.record import CaptionRecord, StoredRecord, record_id
from captioning.errors import RecordChanged, StorageUnavailable
from captioning.ports import Entity, EntityTable
from captioning.records.layout import (
    Layout,
    copy_key,
    posting_key,
    posting_of,
    record_key,
)
from captioning.records.table import STUB, record_in, stored_in
from captioning.records.unreadable import names_no_path, refuse_unreadable
from captioning.records.writer import MOST_WRITES, RecordRows
from captioning.search.dictionary import Dictionary, Entry
from captioning.search.places import BEGINNING, END, Page, id_at, is_place, place_of
from captioning.search.query import Query
from captioning.search.search import Search
from captioning.search.terms import FROM
from captioning.text.words import ALWAYS, stem, tag_key

ABANDONED = timedelta(hours=1)
"""A creation or removal whose stub is older has ended, one way or the other."""
PAGE = 100
"""Records that a walk with words reads at a time."""
EVERYTHING = Query()
_KEYS = ("PartitionKey", "RowKey")
_MOST = 1_000
"""Entities that one request gives."""


class Catalog:
    """Lookups by path or id, searches newest first, and saves; safe to share between threads."""

    def __init__(
        self,
        table: EntityTable,
        dictionary: Dictionary,
        layout: Layout | None = None,
        readers: int = 16,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        most_writes: int = MOST_WRITES,
    ) -> None:
        self._dictionary = dictionary
        self._layout = layout or Layout(table)
        self._table = table
        self._index = _Index(table, dictionary, self._layout, self._read)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="catalog")
        self._now = now
        self._most_writes = most_writes

    def get(self, path: str) -> StoredRecord | None:
        """The record of a blob; `unreadable` where this version cannot read it."""
        stored = self.get_by_id(record_id(path))
        if stored is None or not names_no_path(stored.record):
            return stored
        return replace(stored, record=replace(stored.record, path=path))

    def get_by_id(self, identity: str) -> StoredRecord | None:
        """The record with this id: the SHA-256 of its path in hex."""
        return self._read(identity)

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        """Replaces `previous` and returns what is stored now; RecordChanged where it is not the
        latest, RecordUnreadable where this version cannot read it."""
        refuse_unreadable(previous.record if previous else record)
        # Before the record: a word that the dictionary lacks would hide it from its beginnings.
        self._dictionary.learn(record)
        return self._rows(record.id).save(record, previous)

    def remove(self, stored: StoredRecord) -> None:
        """Removes a record and its rows; RecordChanged where another version is there."""
        self._rows(stored.record.id).remove(stored)

    def copies_of(self, identity: str) -> Iterator[CaptionRecord]:
        """The records whose texts were paid for the image with this id."""
        for partition in self._layout.partitions:
            for place in self._index.places(partition, f"{FROM}{identity}", BEGINNING, END, _MOST):
                if stored := self.get_by_id(id_at(place)):
                    yield stored.record

    def unlearn(self, record: CaptionRecord, languages: Sequence[str]) -> None:
        """Removes the words and tags from the dictionary that no other record has: four requests
        for each and language."""
        tongues = {*languages, ALWAYS, *record.translations, *filter(None, [record.language])}

        def forget(entry: Entry) -> None:
            kind, _, word = entry.key.partition("~")
            stems = {f"word~{stem(word, tongue)}" for tongue in tongues}
            terms = stems if kind == "word" else {entry.key}
            self._dictionary.erase(entry, lambda: self._others_have(terms, record.id))

        list(self._readers.map(forget, self._dictionary.entries(record)))

    def search(self, query: Query, limit: int, position: str = BEGINNING) -> Page:
        """Up to `limit` records that answer the query, newest first, from a position on."""
        return Search(query, self._index, self._readers).page(limit, position)

    def walk(self, query: Query = EVERYTHING) -> Iterator[CaptionRecord]:
        """Every record that answers the query, newest first, read as they are taken."""
        if not query.needs_postings and not query.beginning:
            yield from Search(query, self._index, self._readers).walk()
            return
        position: str | None = BEGINNING
        while position is not None:
            found = self.search(query, PAGE, position)
            yield from found.records
            position = found.next

    def paths(self, size: int, position: str | None) -> tuple[list[str], str | None]:
        """Paths of about `size` records from a position on, newest first, and the next position;
        None at the end. Records that cannot be read have a path as well."""
        return Search(EVERYTHING, self._index, self._readers).paths(size, position or BEGINNING)

    def tags(self, beginning: str, most: int) -> list[str]:
        """Tags that begin so and that images have, alphabetically: a request, and a few a tag."""
        shown: list[str] = []
        start = ""
        while len(shown) < most:
            entries = self._dictionary.tags(tag_key(beginning), start, most - len(shown))
            if not entries:
                break
            for entry, is_used in zip(
                entries, self._readers.map(lambda tag: self._is_used(tag.key), entries), strict=True
            ):
                if is_used:
                    shown.append(entry.shown)
                else:
                    self._dictionary.drop(entry)
            start = f"{entries[-1].key} "  # no key has anything before a space
        return shown

    def settle(self) -> int:
        """Removes what creations and removals have left that were broken off in the middle; how
        many there were."""
        count = 0
        for partition in self._layout.partitions:
            for mark in self._table.page(partition, "stub~", "stub~~", _MOST, ["RowKey"]):
                count += self._finish(partition, str(mark["RowKey"]).removeprefix("stub~"))
        return count

    def is_there(self) -> bool:
        """Whether the table answers, and is one that this version reads; for health."""
        try:
            return self._layout.is_there()
        except StorageUnavailable:
            return False

    def close(self) -> None:
        """Ends the reading threads."""
        self._readers.shutdown()

    def _finish(self, partition: str, identity: str) -> bool:
        """Removes a stub, unless it may be that of a process that is still at work."""
        row = self._table.get(partition, record_key(identity))
        is_stub = row is not None and row.entity.get("kind") == STUB
        if row is None or not is_stub or row.written >= self._now() - ABANDONED:
            return False
        rows = RecordRows(self._table, partition, identity, self._most_writes)
        with suppress(RecordChanged):  # the image was uploaded again: its save takes the stub over
            rows.finish(row)
            return True
        return False

    def _read(self, identity: str, place: str | None = None) -> StoredRecord | None:
        """The record with this id, which a row at this `place` has led to."""
        row = self._table.get(self._layout.partition_of(identity), record_key(identity))
        if row is None or row.entity.get("kind") == STUB:
            return None
        return stored_in(row, identity, place)

    def _rows(self, identity: str) -> RecordRows:
        partition = self._layout.partition_of(identity)
        return RecordRows(self._table, partition, identity, self._most_writes)

    def _others_have(self, terms: set[str], identity: str) -> bool:
        """Whether another record has one of the terms."""
        return any(
            id_at(place) != identity
            for term in sorted(terms)
            for partition in self._layout.partitions
            for place in self._index.places(partition, term, BEGINNING, END, 2)
        )

    def _is_used(self, tag: str) -> bool:
        """Whether any record has the tag."""
        return any(
            self._index.places(partition, f"tag~{tag}", BEGINNING, END, 1)
            for partition in self._layout.partitions
        )


class _Index:
    """The table as a search reads it."""

    def __init__(
        self,
        table: EntityTable,
        dictionary: Dictionary,
        layout: Layout,
        read: Callable[[str, str], StoredRecord | None],
    ) -> None:
        self._table = table
        self._layout = layout
        self.words = dictionary.words
        self._read = read

    @property
    def partitions(self) -> Sequence[str]:
        return self._layout.partitions

    def places(self, partition: str, term: str, start: str, end: str, size: int) -> list[str]:
        low, high = posting_key(term, start), posting_key(term, end)
        found = self._rows(partition, low, high, size, len(posting_key(term, "")), _KEYS)
        return [place for place, _ in found]

    def terms(self, partition: str, beginning: str, most: int) -> list[str]:
        """One request for each: behind a term's postings begins the next term."""
        found: list[str] = []
        start, end = f"term~{beginning}", f"term~{beginning}~"
        while len(found) < most:
            rows = self._table.page(partition, start, end, 1, _KEYS)
            if not rows:
                break
            key = str(rows[0]["RowKey"])
            term, place = posting_of(key)
            if is_place(place) and key == posting_key(term, place):
                found.append(term)
                start = posting_key(term, END)
            else:
                start = _behind(key)
        return found

    def listed(self, partition: str, start: str, end: str, size: int) -> list[tuple[str, Entity]]:
        low, high = copy_key(start), copy_key(end)
        return self._rows(partition, low, high, size, len(copy_key("")))

    def read(self, place: str) -> CaptionRecord | None:
        stored = self._read(id_at(place), place)
        return stored.record if stored else None

    def decoded(self, place: str, entity: Entity) -> CaptionRecord | None:
        try:
            record = record_in(entity)
        except ValueError:
            pass
        else:
            if place_of(record) == place:
                return record
        # A copy that is broken leads to its record; left behind by a record, it leads nowhere.
        found = self.read(place)
        is_here = found and (found.status == "unreadable" or place_of(found) == place)
        return found if is_here else None

    def _rows(
        self,
        partition: str,
        start: str,
        end: str,
        size: int,
        beginning: int,
        select: Sequence[str] = (),
    ) -> list[tuple[str, Entity]]:
        """The first `size` rows of a list, with the places behind the `beginning` of their keys.
        Rows with another key are not the app's, and passed over: fewer rows end the list."""
        found: list[tuple[str, Entity]] = []
        while len(found) < size:
            wanted = size - len(found)
            rows = self._table.page(partition, start, end, wanted, select)
            for row in rows:
                place = str(row["RowKey"])[beginning:]
                if is_place(place):
                    found.append((place, row))
            if len(rows) < wanted:
                break
            start = _behind(str(rows[-1]["RowKey"]))
        return found


def _behind(key: str) -> str:
    """The first key that may come behind this one: none has anything before a space."""
    return f"{key} "
