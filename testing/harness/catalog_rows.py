"""What holds of the catalogue's table at every moment, whatever was broken off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from captioning.domain.record import CaptionRecord
from captioning.ports import Entity, EntityTable, Write
from captioning.records.layout import PARTITIONS, copy_key, postings_of
from captioning.records.table import COPY, RECORD, STUB, record_in, rows_in
from captioning.search.places import place_of

MOST_ROWS = 1_000


def rows_of(table: EntityTable) -> dict[str, Entity]:
    """All entities of the partitions by row key; the layout's own partition is left out."""
    return {
        str(entity["RowKey"]): entity
        for number in range(PARTITIONS)
        for entity in _entities(table, str(number))
    }


def _entities(table: EntityTable, partition: str) -> Iterator[Entity]:
    start = ""
    while page := table.page(partition, start, "~", MOST_ROWS):
        yield from page
        start = f"{page[-1]['RowKey']}!"


def check_rows(table: EntityTable) -> None:
    """Each record's terms lead to it; each posting is one that a record or a marked stub lists;
    each record has one copy, which is equal to it."""
    rows = rows_of(table)
    listed: set[str] = set()
    records: dict[str, CaptionRecord] = {}
    marks: set[str] = set()
    for key in (key for key in rows if key.startswith("record~")):
        named = rows_in(rows[key], key.removeprefix("record~"))
        assert named is not None
        listed |= named
        if rows[key]["kind"] == STUB:
            marks.add(key.replace("record~", "stub~"))
            continue
        assert rows[key]["kind"] == RECORD
        record = record_in(rows[key])
        assert postings_of(record) <= named
        records[copy_key(place_of(record))] = record
    copies = {key: entity for key, entity in rows.items() if key.startswith("all~")}
    assert {key: record_in(entity) for key, entity in copies.items()} == records
    assert {entity["kind"] for entity in copies.values()} <= {COPY}
    assert {key for key in rows if key.startswith("term~")} == listed
    assert {key for key in rows if key.startswith("stub~")} == marks


class Watched:
    """A table that is looked at after each transaction, whether it was made or refused."""

    def __init__(self, table: EntityTable) -> None:
        self.get, self.page = table.get, table.page
        self._table = table

    def transact(self, writes: Sequence[Write]) -> str:
        try:
            return self._table.transact(writes)
        finally:
            check_rows(self._table)
