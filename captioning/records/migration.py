"""Moving the records of the first layout into the catalogue's table.

The first layout had a table of records, partitioned by the first two digits of their ids, and one
of index rows by term. Each record is saved to the catalogue as it is, with what people wrote and
its earlier texts; the older tables stay as they are until they are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from captioning.errors import RecordChanged
from captioning.ports import Entity, EntityTable, Write
from captioning.records.catalog import Catalog
from captioning.records.layout import LAYOUT, PARTITIONS, Layout, create
from captioning.records.table import record_in
from captioning.search.dictionary import Dictionary

PAGE = 500
AT_ONCE = 16
_KEYS = {"PartitionKey": LAYOUT, "RowKey": LAYOUT}
Token = Mapping[str, str] | None


class OlderTable(Protocol):
    """The table of records of the first layout."""

    def scan(self, size: int, token: Token) -> tuple[list[Entity], Token]:
        """Up to `size` entities from a position on, and the next position."""


class _NewLayout(Layout):
    """The layout that the table is going to have; the app refuses the table until it is there."""

    @property
    def partitions(self) -> tuple[str, ...]:
        return tuple(f"{number}" for number in range(PARTITIONS))


@dataclass(slots=True)
class MigrationReport:
    """Records moved by this run, those that were there already, and the ids of those that this
    version cannot read."""

    moved: int = 0
    present: int = 0
    unreadable: list[str] = field(default_factory=list)
    is_done: bool = False


class Migration:
    """Moves records. It keeps no position: a run after one that was stopped passes over the records
    that are there, and so reports every record that cannot be read."""

    def __init__(self, older: OlderTable, table: EntityTable, words: Dictionary) -> None:
        self._older = older
        self._table = table
        self._catalog = Catalog(table, words, _NewLayout(table))

    def run(self, *, leave_unreadable: bool = False) -> Iterator[MigrationReport]:
        """Moves page by page, and yields the report after each. Writes the layout row unless there
        are unreadable records that may not be left behind."""
        report = MigrationReport()
        layout = self._table.get(LAYOUT, LAYOUT)
        # A layout row that an app has made for a new account does not say so: whoever started it
        # without a role on the earlier tables has their records nowhere else.
        if layout and layout.entity.get("migrated"):
            report.is_done = True
            yield report
            return
        token: Token = None
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="migrate") as pool:
            while True:
                entities, token = self._older.scan(PAGE, token)
                for count in pool.map(self._move, entities):
                    count(report)
                yield report
                if token is None:
                    break
        if not report.unreadable or leave_unreadable:
            # Last: with this row the app takes the table for complete.
            if layout:
                self._table.transact([Write("merge", {**_KEYS, "migrated": True}, layout.etag)])
            else:
                create(self._table, migrated=True)
            report.is_done = True
        yield report

    def close(self) -> None:
        """Ends the threads."""
        self._catalog.close()

    def _move(self, entity: Entity) -> Callable[[MigrationReport], None]:
        """Saves a record; returns what counts it in a report."""
        try:
            record = record_in(entity)
        except ValueError:  # without its text: it quotes the record
            return partial(_count_unreadable, str(entity["RowKey"]))
        if self._catalog.get_by_id(record.id):
            return _count_present
        try:
            self._catalog.save(record, None)
        except RecordChanged:  # a second migration runs beside this one
            return _count_present
        return _count_moved


def _count_moved(report: MigrationReport) -> None:
    report.moved += 1


def _count_present(report: MigrationReport) -> None:
    report.present += 1


def _count_unreadable(identity: str, report: MigrationReport) -> None:
    report.unreadable.append(identity)
