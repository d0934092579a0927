"""Moving the tables of the first layout: all that they hold, whatever breaks the move off."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from captioning.domain.record import CaptionRecord
from captioning.errors import LayoutRefused
from captioning.ports import Entity
from captioning.records import migration
from captioning.records.catalog import Catalog
from captioning.records.layout import LAYOUT, Layout
from captioning.records.migration import Migration, MigrationReport, Token
from captioning.search.dictionary import Dictionary
from captioning.search.query import parse
from testing.factories.older_records import older_entity, older_records
from testing.fakes.faults import Crash, FaultInjector
from testing.fakes.stores import MemoryTable
from testing.harness.catalog_rows import check_rows
from testing.harness.storage import Storage

RECORDS = older_records(60)


class MemoryOlder:
    """The older table of records, in memory."""

    def __init__(self, records: list[CaptionRecord]) -> None:
        self.held = [older_entity(record) for record in records]

    def scan(self, size: int, token: Token) -> tuple[list[Entity], Token]:
        start = int(token["at"]) if token else 0
        following = {"at": str(start + size)} if start + size < len(self.held) else None
        return self.held[start : start + size], following


class Move:
    """Older tables and a new one."""

    def __init__(self, older: Any = None) -> None:
        self.older = older or MemoryOlder(RECORDS)
        self.table, self.words = MemoryTable(), MemoryTable()

    def run(self, injector: FaultInjector | None = None, **options: bool) -> MigrationReport:
        injector = injector or FaultInjector()
        words = Dictionary(injector.wrap(self.words))
        with closing(
            Migration(injector.wrap(self.older), injector.wrap(self.table), words)
        ) as move:
            reports = list(move.run(**options))
        check_rows(self.table)
        return reports[-1]

    def shown(self) -> list[CaptionRecord]:
        """All that the app shows."""
        layout = Layout(self.table, has_older=lambda: True)
        with closing(Catalog(self.table, Dictionary(self.words), layout)) as catalog:
            return list(catalog.walk())


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "PAGE", 25)


def newest_first(records: list[CaptionRecord]) -> list[CaptionRecord]:
    return sorted(records, key=lambda record: (-record.image.modified.timestamp(), record.id))


def test_every_record_is_moved_with_what_people_wrote_and_what_was_there_before() -> None:
    move = Move()
    assert move.run() == MigrationReport(moved=60, present=0, is_done=True)
    assert move.shown() == newest_first(RECORDS)
    assert any(record.previous for record in RECORDS)
    assert any(record.history for record in RECORDS)
    assert any(record.provenance.edited_by_human for record in RECORDS)


def test_what_was_moved_is_found() -> None:
    move = Move()
    move.run()
    with closing(Catalog(move.table, Dictionary(move.words))) as catalog:
        found = catalog.search(parse("number7 ", [], ("en",)), 5).records
        assert [record.path for record in found] == ["7/é.jpg"]
        assert len(catalog.search(parse("", ["hündin 🐕"], ("en",)), 100).records) == 20
        assert catalog.tags("dog", 5) == ["dog"]


def test_the_app_refuses_the_tables_until_all_is_moved() -> None:
    move, injector = Move(), FaultInjector()
    injector.crash(60)
    with pytest.raises(Crash):
        move.run(injector)
    with pytest.raises(LayoutRefused, match="migrate"):
        move.shown()
    move.run()
    assert len(move.shown()) == 60


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [1, 2, 3, 40, 77, 90, 133, 180])
def test_a_move_that_was_broken_off_is_taken_up(call: int, after: bool) -> None:
    move, injector = Move(), FaultInjector()
    injector.crash(call, after=after)
    with pytest.raises(Crash):
        move.run(injector)
    check_rows(move.table)
    report = move.run()
    assert report.moved + report.present == 60
    assert report.is_done
    assert move.shown() == newest_first(RECORDS)


def test_two_moves_side_by_side_move_each_record_once() -> None:
    move, injector = Move(), FaultInjector()
    reports: list[MigrationReport] = []
    injector.plan(lambda: reports.append(move.run()), 50)
    reports.append(move.run(injector))
    assert sum(report.moved for report in reports) == 60
    assert move.shown() == newest_first(RECORDS)


def test_what_cannot_be_read_is_reported_by_every_run_until_it_may_be_left() -> None:
    move, injector = Move(), FaultInjector()
    broken = [RECORDS[3].id, RECORDS[41].id]
    for entity in move.older.held:
        if entity["RowKey"] == broken[0]:
            entity["status"] = "captioned by somebody"
        if entity["RowKey"] == broken[1]:
            entity["image"] = "{"
    injector.crash(150)  # behind the page with the first of them
    with pytest.raises(Crash):
        move.run(injector)
    for _ in range(2):
        report = move.run()
        assert sorted(report.unreadable) == sorted(broken)
        assert not report.is_done
        assert move.table.get(LAYOUT, LAYOUT) is None
    report = move.run(leave_unreadable=True)
    assert (report.present, report.is_done) == (58, True)
    assert {record.id for record in move.shown()} == {r.id for r in RECORDS} - set(broken)


def test_tables_of_this_layout_are_left_as_they_are() -> None:
    move = Move()
    move.run()
    injector = FaultInjector()
    assert move.run(injector) == MigrationReport(is_done=True)
    assert injector.calls == ["MemoryTable.get"]


def test_records_are_moved_into_a_catalogue_that_was_made_without_them() -> None:
    """By an app, say, whose identity had no role on the earlier tables and took them for absent."""
    move = Move()
    assert Layout(move.table).partitions
    report = move.run()
    assert (report.moved, report.is_done) == (60, True)
    assert {record.id for record in move.shown()} == {record.id for record in RECORDS}
    assert move.run() == MigrationReport(is_done=True)


def test_no_records_are_moved_in_no_time() -> None:
    move = Move(MemoryOlder([]))
    assert move.run() == MigrationReport(is_done=True)
    assert move.shown() == []


def test_a_record_that_was_edited_after_its_move_stays_so() -> None:
    """Where the app was started between two runs, say: the later text counts."""
    move, injector = Move(), FaultInjector()
    injector.crash(150)
    with pytest.raises(Crash):
        move.run(injector)
    with closing(
        Catalog(move.table, Dictionary(move.words), migration._NewLayout(move.table))
    ) as c:
        [first, *_] = list(c.walk())
        edited = replace(first, caption="Edited.")
        c.save(edited, c.get(first.path))
    move.run()
    assert edited in move.shown()


def test_real_tables_are_moved(storage: Storage) -> None:
    name = f"{storage.name}old"
    storage.account.create(name)
    older = storage.account.table(name)
    for record in RECORDS:
        older.put(older_entity(record), None)
    words = Dictionary(storage.account.table(f"{storage.name}words"))
    with closing(Migration(older, storage.table, words)) as move:
        *_, report = move.run()
    assert (report.moved, report.is_done) == (60, True)
    check_rows(storage.table)
    assert list(storage.catalog.walk()) == newest_first(RECORDS)
