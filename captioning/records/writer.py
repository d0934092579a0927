"""Saving a record with its rows: one transaction, or several where the rows are too many for one.

At every moment the rows of a record are those that it lists in `rows`, and all that its text asks
for are among them: new postings are written before the text that they lead to, old ones are deleted
after it. So a process may end between two transactions; the next save goes on from what is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from captioning.domain.record import CaptionRecord, StoredRecord
from captioning.errors import RecordChanged, RowMissing, StorageUnavailable
from captioning.ports import Entity, EntityTable, Row, Write
from captioning.records.layout import copy_key, posting_of, postings_of, record_key, stub_key
from captioning.records.table import (
    COPY,
    RECORD,
    STUB,
    record_in,
    record_properties,
    rows_in,
    save_properties,
)
from captioning.search.places import place_of

MOST_WRITES = 100
"""Operations of one transaction, as the Table service takes them."""
_BESIDE = 4
"""Of them, at most: the record, its copy, the copy at an earlier place, the mark of a stub."""
_MOST_KEYS = 1_000
_KEYS = ("PartitionKey", "RowKey")


@dataclass(frozen=True, slots=True)
class _Base:
    """What a save replaces: nothing, a record, or a stub with rows that are left."""

    etag: str | None = None
    rows: frozenset[str] = frozenset()
    copy: str | None = None
    """The key of a record's copy."""
    is_stub: bool = False


class RecordRows:
    """The rows of one record in its partition; used for one save or removal. `most_writes` is the
    number of operations of a transaction."""

    def __init__(
        self, table: EntityTable, partition: str, identity: str, most_writes: int = MOST_WRITES
    ) -> None:
        self._table = table
        self._partition = partition
        self._identity = identity
        self._room = most_writes - _BESIDE

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        """Replaces `previous` or creates it; RecordChanged where another version is there."""
        if previous:
            return self._save(record, _base(previous), previous)
        try:
            return self._save(record, _Base())
        except RecordChanged:
            # Rows without a record may be left of a creation or removal that was broken off.
            row = self._table.get(self._partition, record_key(self._identity))
            if row is None or row.entity.get("kind") != STUB:
                raise
            return self._save(record, self._stub(row))

    def remove(self, stored: StoredRecord) -> None:
        """Removes this version with all its rows; RecordChanged where another one is there."""
        base = _base(stored)
        if stored.record.status == "unreadable":
            base = replace(base, copy=None, rows=stored.rows | self._copies(stored))
        left = self._delete_some(base)
        # The record is gone: what is left is a stub's, which `Catalog.settle` finishes.
        with suppress(StorageUnavailable, RecordChanged):
            while left:
                left = self._delete_some(left)

    def finish(self, row: Row) -> None:
        """Removes the stub in `row` with what a broken-off creation or removal has left;
        RecordChanged where another process has taken it over."""
        left: _Base | None = self._stub(row)
        while left:
            left = self._delete_some(left)

    def _save(
        self, record: CaptionRecord, base: _Base, previous: StoredRecord | None = None
    ) -> StoredRecord:
        wanted = postings_of(record)
        adds = sorted(wanted - base.rows)
        while len(adds) > self._room:
            # Before the text that asks for them: a search reads the record that a posting leads to,
            # so one too many hides nothing, and a missing one would hide the record.
            base = self._grow(base, adds[: self._room])
            adds = adds[self._room :]
        drops = sorted(base.rows - wanted)
        room = self._room - len(adds)
        drops, later = drops[:room], drops[room:]
        rows = wanted.union(later)
        properties = record_properties(record, wanted, previous)
        said = record_in(properties)  # before the save: nothing is written that cannot be read
        place = place_of(record)
        etag = self._transact(
            [
                self._guard(base, {"kind": RECORD, **properties, **save_properties(rows)}),
                Write("upsert", self._entity(copy_key(place), kind=COPY, **properties)),
                *self._deletes(_beside(base, self._identity, place)),
                *(Write("upsert", self._entity(row)) for row in adds),
                *self._deletes(drops),
            ]
        )
        stored = StoredRecord(said, etag, rows, properties)
        # The new text is there: rows that are left are listed, and the next save deletes them too.
        with suppress(StorageUnavailable, RecordChanged):
            while later:
                stored = self._shrink(stored, properties, later[: self._room])
                later = later[self._room :]
        return stored

    def _grow(self, base: _Base, rows: Sequence[str]) -> _Base:
        """Writes postings, and lists them in the record; in a stub where there is no record."""
        grown = base.rows.union(rows)
        adds = [Write("upsert", self._entity(row)) for row in rows]
        if base.copy is None:
            etag = self._transact([*self._write_stub(base, grown), *adds])
            return _Base(etag, grown, is_stub=True)
        entity = self._entity(record_key(self._identity), **save_properties(grown))
        etag = self._transact([Write("merge", entity, base.etag), *adds])
        return replace(base, etag=etag, rows=grown)

    def _shrink(
        self, stored: StoredRecord, properties: Entity, rows: Sequence[str]
    ) -> StoredRecord:
        """Deletes postings that the record does not ask for any more."""
        left = stored.rows.difference(rows)
        # The whole entity: a merge would leave the end of the longer list in `rows_2`, `rows_3`, …
        entity = {"kind": RECORD, **properties, **save_properties(left)}
        etag = self._transact([self._guard(_base(stored), entity), *self._deletes(rows)])
        return replace(stored, etag=etag, rows=left)

    def _delete_some(self, base: _Base) -> _Base | None:
        """Removes a record or stub with as many rows as a transaction takes; the stub that lists
        the others, or None where nothing is left."""
        rows = sorted(base.rows)
        some, left = rows[: self._room], frozenset(rows[self._room :])
        if left:
            copy = [base.copy] if base.copy else []
            etag = self._transact(
                [*self._write_stub(base, left), *self._deletes(copy), *self._deletes(some)]
            )
            return _Base(etag, left, is_stub=True)
        guard = Write("delete", self._entity(record_key(self._identity)), base.etag)
        beside = self._deletes(_beside(base, self._identity))
        self._transact([guard, *beside, *self._deletes(some)])
        return None

    def _write_stub(self, base: _Base, rows: frozenset[str]) -> list[Write]:
        """Replaces the base by a stub that lists these rows; its mark is how `settle` finds it."""
        guard = self._guard(base, {"kind": STUB, **save_properties(rows)})
        return [guard, Write("upsert", self._entity(stub_key(self._identity)))]

    def _copies(self, stored: StoredRecord) -> frozenset[str]:
        """The keys of the copies of a record that cannot be read: where its postings are, or, where
        it does not name these either, wherever there is one."""
        places = {posting_of(row)[1] for row in stored.rows}
        if places:
            return frozenset(copy_key(place) for place in places | {place_of(stored.record)})
        found: set[str] = set()
        start = copy_key("")
        while rows := self._table.page(self._partition, start, copy_key("~"), _MOST_KEYS, _KEYS):
            keys = [str(row["RowKey"]) for row in rows]
            found |= {key for key in keys if key.endswith(f"-{self._identity}")}
            start = f"{keys[-1]} "  # no key has anything before a space
        return frozenset(found)

    def _stub(self, row: Row) -> _Base:
        # Postings that a broken list does not name lead to no record, and so to nothing.
        rows = rows_in(row.entity, self._identity)
        return _Base(row.etag, rows or frozenset(), is_stub=True)

    def _guard(self, base: _Base, properties: Entity) -> Write:
        entity = self._entity(record_key(self._identity), **properties)
        return Write("replace", entity, base.etag) if base.etag else Write("insert", entity)

    def _deletes(self, rows: Iterable[str]) -> list[Write]:
        return [Write("delete", self._entity(row)) for row in rows]

    def _entity(self, row: str, **properties: object) -> Entity:
        return {"PartitionKey": self._partition, "RowKey": row, **properties}

    def _transact(self, writes: list[Write]) -> str:
        """Makes the writes. A row that was deleted by other means does not have to be deleted."""
        while True:
            try:
                return self._table.transact(writes)
            except RowMissing as missing:
                left = [
                    write
                    for write in writes
                    if write.kind != "delete" or write.entity["RowKey"] != missing.row
                ]
                if len(left) == len(writes):
                    raise
                writes = left


def _base(stored: StoredRecord) -> _Base:
    return _Base(stored.etag, stored.rows, copy_key(place_of(stored.record)))


def _beside(base: _Base, identity: str, place: str | None = None) -> Iterator[str]:
    """The rows beside the postings that a base has, and a record at this place has not: the copy
    at an earlier place, the mark of a stub."""
    if base.copy and (place is None or base.copy != copy_key(place)):
        yield base.copy
    if base.is_stub:
        yield stub_key(identity)
