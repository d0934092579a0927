"""Putting records back: exact, by id, by each policy, and again after any end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from captioning.backup.backup import Backup
from captioning.backup.files import Line, Problem, in_store
from captioning.backup.lines import written
from captioning.backup.restore import Policy, Restore, RestoreReport
from captioning.backup.rows import RecordTable
from captioning.domain.record import CaptionRecord, record_id
from captioning.ports import Entity
from captioning.records.catalog import Catalog
from captioning.records.layout import Layout, record_key
from captioning.records.table import record_properties
from captioning.search.query import parse
from testing.factories.archive import archive
from testing.factories.records import minutes, short
from testing.harness.catalog_rows import check_rows
from testing.harness.maintenance import InterceptedOnce, ReconcileLab
from testing.harness.storage import Storage

NIGHT = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
MINE = short("a.jpg", caption="Mine.", updated=minutes(10))
POLICIES: tuple[Policy, ...] = ("keep-newer", "keep-mine", "overwrite")


def table_of(storage: Storage) -> RecordTable:
    return RecordTable(storage.table, Layout(storage.table))


def put_back(
    storage: Storage,
    lines: Iterable[Line | Problem],
    policy: Policy = "keep-newer",
    *,
    catalog: Any = None,
    dry_run: bool = False,
) -> tuple[RestoreReport, list[str]]:
    """The last report, and the complaints."""
    restore = Restore(
        catalog or storage.catalog, table_of(storage), storage.images, policy, dry_run=dry_run
    )
    complaints: list[str] = []
    *_, report = restore.run(lines, lambda problem: complaints.append(str(problem)))
    return report, complaints


def lines(*records: CaptionRecord | dict[str, Any]) -> list[Line]:
    documents = [one if isinstance(one, dict) else one.to_json() for one in records]
    return [Line("a.jsonl", number, json.dumps(one)) for number, one in enumerate(documents, 1)]


def row_of(storage: Storage, record: CaptionRecord) -> Entity | None:
    partition = Layout(storage.table).partition_of(record.id)
    row = storage.table.get(partition, record_key(record.id))
    return row.entity if row else None


def found(catalog: Catalog, words: str) -> list[str]:
    return [record.path for record in catalog.walk(parse(f"{words} ", [], ("en",)))]


@pytest.fixture
def empty(storage: Storage) -> Storage:
    """A container without images."""
    assert storage.images
    return storage


def test_a_backup_comes_back_exactly(empty: Storage) -> None:
    records = list(archive(250))
    for record in records:
        empty.catalog.save(record, None)
    made = Backup(
        table=table_of(empty),
        store=empty.backups,
        state=empty.state,
        days=30,
        now=lambda: NIGHT,
    ).run()
    assert (made.records, made.is_complete) == (250, True)
    before = {stored.path: stored for stored in empty.catalog.walk()}
    for record in records:
        stored = empty.catalog.get(record.path)
        assert stored
        empty.catalog.remove(stored)
    assert not list(empty.catalog.walk())

    report, complaints = put_back(empty, in_store(empty.backups, "2026-12-01"))
    assert (report.added, report.missing, complaints) == (250, 250, [])
    assert {record.path: record for record in empty.catalog.walk()} == before
    for record in records:
        stored = empty.catalog.get(record.path)
        assert stored
        assert stored.record.to_json() == before[record.path].to_json()
    assert found(empty.catalog, "unique137") == [records[137].path]
    check_rows(empty.table)

    report, _ = put_back(empty, in_store(empty.backups, "2026-12-01"), "overwrite")
    assert (report.lines, report.equal, report.added, report.replaced) == (250, 250, 0, 0)


@pytest.mark.parametrize(
    ("policy", "at", "is_replaced"),
    [
        ("keep-newer", 9, False),
        ("keep-newer", 10, False),
        ("keep-newer", 11, True),
        ("keep-mine", 11, False),
        ("overwrite", 9, True),
    ],
)
def test_each_policy_says_which_record_stays(
    policy: Policy, at: int, is_replaced: bool, empty: Storage
) -> None:
    empty.catalog.save(MINE, None)
    theirs = replace(MINE, caption="Theirs entirely.", updated=minutes(at))
    dry, _ = put_back(empty, lines(theirs), policy, dry_run=True)
    assert [record.caption for record in empty.catalog.walk()] == ["Mine."]
    report, _ = put_back(empty, lines(theirs), policy)
    assert report == dry
    assert (report.replaced, report.kept) == ((1, 0) if is_replaced else (0, 1))
    assert found(empty.catalog, "entirely") == (["a.jpg"] if is_replaced else [])
    assert found(empty.catalog, "mine") == ([] if is_replaced else ["a.jpg"])


@pytest.mark.parametrize("policy", POLICIES)
def test_equal_records_are_not_written(policy: Policy, empty: Storage) -> None:
    empty.catalog.save(MINE, None)
    before = row_of(empty, MINE)
    report, _ = put_back(empty, lines(MINE), policy)
    assert (report.equal, row_of(empty, MINE)) == (1, before)  # `save` is random for each save


def test_of_two_lines_about_one_record_the_policy_decides_in_their_order(empty: Storage) -> None:
    newer = replace(MINE, caption="Newer.", updated=minutes(11))
    put_back(empty, lines(newer, MINE))
    assert [record.caption for record in empty.catalog.walk()] == ["Newer."]
    put_back(empty, lines(newer, MINE), "overwrite")
    assert [record.caption for record in empty.catalog.walk()] == ["Mine."]


def test_a_correction_that_is_made_meanwhile_is_not_lost(empty: Storage) -> None:
    empty.catalog.save(MINE, None)
    edited = replace(MINE, caption="Just now.", updated=minutes(30))

    def edit() -> None:
        empty.catalog.save(edited, empty.catalog.get(MINE.path))

    catalog = InterceptedOnce(empty.catalog, "save", edit)
    theirs = replace(MINE, caption="Theirs.", updated=minutes(20))
    report, _ = put_back(empty, lines(theirs), catalog=catalog)
    assert (report.kept, [one.caption for one in empty.catalog.walk()]) == (1, ["Just now."])


def test_bad_lines_are_named_and_the_others_go_on(empty: Storage) -> None:
    good = lines(MINE, short("b.jpg"))
    bad: list[Line | Problem] = [
        Line("a.jsonl", 7, "{"),
        Problem("b.jsonl", None, "is damaged behind line 3"),
    ]
    report, complaints = put_back(empty, [good[0], *bad, good[1]])
    assert complaints == ["a.jsonl, line 7 is not JSON", "b.jsonl is damaged behind line 3"]
    assert (report.lines, report.added, report.problems) == (3, 2, 2)


def test_only_records_without_an_image_are_counted_as_missing(empty: Storage) -> None:
    empty.upload("a.jpg", b"x")
    report, _ = put_back(empty, lines(MINE, short("b.jpg")))
    assert (report.added, report.missing) == (2, 1)


def test_a_row_that_cannot_be_read_is_put_back_where_there_is_none(empty: Storage) -> None:
    strange = short("strange.jpg")
    line = {"id": strange.id, "unreadable": {"path": "strange.jpg", "status": "published"}}
    dry, _ = put_back(empty, lines(line), dry_run=True)
    assert (dry.raw, row_of(empty, strange)) == (1, None)
    assert put_back(empty, lines(line))[0].raw == 1
    row = row_of(empty, strange)
    assert row
    assert (row["path"], row["status"], row["kind"]) == ("strange.jpg", "published", "record")
    assert put_back(empty, lines(line), "overwrite")[0].kept == 1


def test_a_record_that_cannot_be_read_in_the_table_stays(empty: Storage) -> None:
    line = {"id": MINE.id, "unreadable": {"path": "a.jpg", "status": "s3cret"}}
    put_back(empty, lines(line))
    report, complaints = put_back(empty, lines(MINE, short("b.jpg")), "overwrite")
    assert (report.problems, report.added) == (1, 1)
    assert "line 1" in complaints[0]
    assert "s3cret" not in complaints[0]


def test_columns_of_another_version_come_back(empty: Storage) -> None:
    put_back(empty, lines(MINE.to_json() | {"other": {"colour": '"red"'}}))
    row = row_of(empty, MINE)
    assert row
    assert row["colour"] == '"red"'
    assert [record.caption for record in empty.catalog.walk()] == ["Mine."]


def test_records_that_are_put_back_without_images_wait_for_them(storage: Storage) -> None:
    """Reconcile removes none of them: these are too many for single deletions."""
    lab = ReconcileLab(storage)
    lab.record(lab.upload("there.jpg"))
    gone = [short(f"{number}.jpg") for number in range(30)]
    assert put_back(storage, lines(*gone))[0].missing == 30
    for _ in range(3):
        assert lab.run().stopped == "images_missing"
        lab.pass_time(hours=30)
    assert len(lab.listed()) == 31
    assert record_id("there.jpg") in {record.id for record in storage.catalog.walk()}


def test_an_import_that_stops_before_the_other_columns_is_finished_by_the_next(
    storage: Storage,
) -> None:
    given = lines(MINE.to_json() | {"other": {"mood": "calm"}})

    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    table: Any = InterceptedOnce(table_of(storage), "merge", stop)
    restore = Restore(storage.catalog, table, storage.images, "overwrite")
    with pytest.raises(Stopped):
        list(restore.run(given, lambda _: None))
    assert storage.catalog.get("a.jpg")
    report, _ = put_back(storage, given)
    row = row_of(storage, MINE)
    assert row
    assert (report.replaced, row["mood"]) == (1, "calm")
    report, _ = put_back(storage, given)
    assert report.equal == 1


def test_a_row_that_cannot_be_read_is_listed_again(storage: Storage) -> None:
    row = record_properties(MINE, frozenset()) | {"status": "resting"}
    report, _ = put_back(storage, lines({"id": MINE.id, "unreadable": row}))
    assert report.raw == 1
    found = [(one.id, one.status) for one in storage.catalog.walk()]
    assert found == [(MINE.id, "unreadable")]


def test_what_a_newer_version_wrote_into_a_column_comes_back(storage: Storage) -> None:
    row = record_properties(MINE, frozenset())
    image = json.loads(row["image"]) | {"color": "Display P3"}
    line, _ = written(MINE.id, row | {"image": json.dumps(image), "mood": "calm"})
    put_back(storage, [Line("a.jsonl", 1, line)])
    there = row_of(storage, MINE)
    assert there
    assert (json.loads(there["image"])["color"], there["mood"]) == ("Display P3", "calm")
