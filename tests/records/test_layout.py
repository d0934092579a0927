"""The layout row: which tables this version reads, and which it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from captioning.errors import LayoutRefused, StorageUnavailable
from captioning.ports import Write
from captioning.records.layout import (
    COMMAND,
    LAYOUT,
    PARTITIONS,
    VERSION,
    Layout,
    create,
    posting_key,
    posting_of,
    postings_of,
)
from captioning.search.places import place_of
from testing.factories.records import FULL, short
from testing.fakes.faults import FaultInjector
from testing.fakes.stores import MemoryTable
from testing.harness.storage import Storage


def written(**properties: Any) -> MemoryTable:
    """A table with this layout row."""
    table = MemoryTable()
    row = {"PartitionKey": LAYOUT, "RowKey": LAYOUT, "version": VERSION, "partitions": PARTITIONS}
    table.transact([Write("insert", row | properties)])
    return table


def test_a_new_table_gets_its_layout_at_the_first_use(storage: Storage) -> None:
    layout = Layout(storage.table)
    assert storage.table.get(LAYOUT, LAYOUT) is None
    assert layout.partitions == ("0", "1", "2", "3")
    row = storage.table.get(LAYOUT, LAYOUT)
    assert row
    assert (row.entity["version"], row.entity["partitions"]) == (VERSION, PARTITIONS)
    assert Layout(storage.table).is_there()


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True])
def test_of_two_processes_one_writes_it(call: int, after: bool) -> None:
    table, injector = MemoryTable(), FaultInjector()
    injector.plan(lambda: Layout(table).partitions, call, after=after)
    assert Layout(injector.wrap(table)).partitions == Layout(table).partitions
    row = table.get(LAYOUT, LAYOUT)
    assert row
    create(table, partitions=9)
    assert table.get(LAYOUT, LAYOUT) == row


@pytest.mark.parametrize("version", [1, VERSION + 1, "2", None])
def test_another_version_is_refused_with_the_command(version: object) -> None:
    layout = Layout(written(version=version))
    with pytest.raises(LayoutRefused, match=COMMAND):
        layout.partition_of(FULL.id)


@pytest.mark.parametrize("count", ["four", 0, None, True])
def test_a_broken_number_of_partitions_is_refused(count: object) -> None:
    with pytest.raises(LayoutRefused, match="`partitions`"):
        Layout(written(partitions=count)).partition_of(FULL.id)


def test_older_tables_are_refused_until_they_are_migrated() -> None:
    table = MemoryTable()
    layout = Layout(table, has_older=lambda: True)
    with pytest.raises(LayoutRefused, match=COMMAND):
        layout.is_there()
    assert table.get(LAYOUT, LAYOUT) is None
    create(table)
    assert layout.is_there()


def test_no_layout_is_written_where_older_tables_do_not_answer() -> None:
    def fail() -> bool:
        raise StorageUnavailable("Storage answered 503.")

    table = MemoryTable()
    layout = Layout(table, has_older=fail)
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            layout.partition_of(FULL.id)
    assert table.get(LAYOUT, LAYOUT) is None


def test_older_tables_are_not_looked_at_where_there_is_a_layout() -> None:
    def fail() -> bool:
        raise AssertionError

    assert Layout(written(), has_older=fail).partitions


def test_storage_that_does_not_answer_is_asked_again_later() -> None:
    injector = FaultInjector()
    layout = Layout(injector.wrap(written()))
    injector.fail()
    with pytest.raises(StorageUnavailable):
        layout.is_there()
    assert layout.is_there()


def test_the_row_is_read_once() -> None:
    injector = FaultInjector()
    layout = Layout(injector.wrap(written()))
    for number in range(9):
        layout.partition_of(short(f"{number}.jpg").id)
    assert injector.calls == ["MemoryTable.get"]


def test_the_table_says_how_many_partitions_there_are() -> None:
    layout = Layout(written(partitions=7))
    found = {layout.partition_of(short(f"{number}.jpg").id) for number in range(200)}
    assert found == set(layout.partitions) == set("0123456")


def test_a_posting_is_read_as_it_was_written() -> None:
    place = place_of(FULL)
    for term in ("word~surf", "tag~golden retriever", "tag~%7E%7E", "made~0f", "word~é"):
        assert posting_of(posting_key(term, place)) == (term, place)
    assert all(key.count("~") == 3 for key in postings_of(FULL))
