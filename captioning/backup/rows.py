"""The rows of records, in the order of their ids, in which a walk meets each of them once.

The copies in the order of uploads would not do: an image that is overwritten meanwhile moves to
the front, which the walk has left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from captioning.errors import RecordChanged
from captioning.ports import Entity, EntityTable, Row, Write
from captioning.records.layout import Layout, copy_key, record_key
from captioning.records.table import COPY, RECORD, STUB, stored_in
from captioning.search.places import place_of

START, END = "", "end"
"""Positions before and behind all rows. Others are the partition and the first key to read."""
_FIRST, _LAST = record_key(""), record_key("~")


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows by the ids of their records, and the position behind them."""

    rows: list[tuple[str, Entity]]
    next: str


class RecordTable:
    """The catalogue's table, row by row."""

    def __init__(self, table: EntityTable, layout: Layout) -> None:
        self._table = table
        self._layout = layout

    def page(self, position: str, size: int) -> Rows:
        """Up to `size` rows of one partition, from a position on; stubs are left out."""
        partitions = self._layout.partitions
        partition, _, key = (position or f"{partitions[0]}|{_FIRST}").partition("|")
        found = self._table.page(partition, key, _LAST, size)
        rows = [
            (str(row["RowKey"]).removeprefix(_FIRST), row)
            for row in found
            if row.get("kind") != STUB
        ]
        if len(found) == size:
            return Rows(rows, f"{partition}|{found[-1]['RowKey']}!")
        following = partitions[partitions.index(partition) + 1 :]
        return Rows(rows, f"{following[0]}|{_FIRST}" if following else END)

    def insert(self, identity: str, columns: Entity, *, dry_run: bool = False) -> bool:
        """Writes a row that cannot be read, and the copy by which lists show it; False where the
        record has one. A dry run writes nothing."""
        row = self._row(identity, {**columns, "kind": RECORD})
        key = {"PartitionKey": row["PartitionKey"]}
        if dry_run:
            return self._table.get(str(row["PartitionKey"]), str(row["RowKey"])) is None
        found = stored_in(Row(row, "", datetime.now(UTC)), identity).record
        copy = {**columns, **key, "RowKey": copy_key(place_of(found)), "kind": COPY}
        try:
            self._table.transact([Write("insert", row), Write("upsert", copy)])
        except RecordChanged:
            return False
        return True

    def merge(self, identity: str, columns: Entity, etag: str) -> None:
        """Adds columns to this version of a row; RecordChanged where another one is there."""
        self._table.transact([Write("merge", self._row(identity, columns), etag)])

    def _row(self, identity: str, columns: Entity) -> Entity:
        partition = self._layout.partition_of(identity)
        return {**columns, "PartitionKey": partition, "RowKey": record_key(identity)}
