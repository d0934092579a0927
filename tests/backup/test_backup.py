"""The nightly backup: complete or visibly not, whatever ends a run, and never the last one lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from captioning.backup.backup import Backup, BackupReport, Size
from captioning.backup.files import Line, in_store, kept
from captioning.backup.lines import Readable, Unreadable, read
from captioning.backup.rows import RecordTable
from captioning.domain.record import CaptionRecord
from captioning.errors import StorageUnavailable
from captioning.ports import KeptFile
from captioning.records.layout import Layout, record_key
from testing.factories.archive import archive
from testing.factories.records import short
from testing.harness.maintenance import InterceptedOnce
from testing.harness.storage import Storage

NIGHT = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
SMALL = Size(page=3, records=6, seconds=10.0)


class BackupLab:
    """A catalogue, a container of backups, and clocks that the test moves."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.time = NIGHT
        self.ticks = 0.0
        self.tick = 0.0
        """Seconds that pass at each look at the clock of a run."""

    def backup(self, **changes: Any) -> Backup:
        options: dict[str, Any] = {
            "table": RecordTable(self.storage.table, Layout(self.storage.table)),
            "store": self.storage.backups,
            "state": self.storage.state,
            "days": 30,
            "now": lambda: self.time,
            "size": SMALL,
            "seconds": self.seconds,
        }
        return Backup(**(options | changes))

    def seconds(self) -> float:
        self.ticks += self.tick
        return self.ticks

    def save(self, count: int) -> list[CaptionRecord]:
        records = list(archive(count))
        for record in records:
            self.storage.catalog.save(record, None)
        return records

    def lines(self, name: str) -> list[Line]:
        found = list(in_store(self.storage.backups, name))
        assert all(isinstance(one, Line) for one in found), found
        return [one for one in found if isinstance(one, Line)]

    def records(self, name: str) -> dict[str, CaptionRecord]:
        """The records of a complete backup by path; each is in it once."""
        found = [read(line.text) for line in self.lines(name)]
        records = [one.record for one in found if isinstance(one, Readable)]
        assert len({record.id for record in records}) == len(found)
        return {record.path: record for record in records}

    def manifest(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(
            self.storage.backups.read(name, "manifest.json") or b""
        )
        return document


@pytest.fixture
def lab(storage: Storage) -> BackupLab:
    return BackupLab(storage)


class Dying:
    """A container of backups whose process ends before or after a given write."""

    def __init__(self, store: Any, puts: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, puts, after
        self.folders, self.files, self.read, self.delete = (
            *(store.folders, store.files, store.read, store.delete),
        )

    def put(self, folder: str, name: str, data: bytes, notes: Mapping[str, str]) -> bool:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise KeyboardInterrupt
        done: bool = self._store.put(folder, name, data, notes)
        if self._left < 0:
            raise KeyboardInterrupt
        return done


def test_every_record_is_in_the_night_s_backup_once(lab: BackupLab) -> None:
    records = lab.save(40)
    report = lab.backup().run()
    assert (report.name, report.records, report.unreadable) == ("2026-12-01", 40, 0)
    assert report.is_complete
    assert report.parts > 4
    assert lab.records("2026-12-01") == {record.path: record for record in records}
    manifest = lab.manifest("2026-12-01")
    assert (manifest["records"], manifest["layout"]) == (40, 2)
    assert sum(part["records"] for part in manifest["parts"]) == 40
    assert list(kept(lab.storage.backups)) == [("2026-12-01", 40)]


def test_a_complete_one_costs_a_read_until_the_next_night(lab: BackupLab) -> None:
    lab.save(2)
    lab.backup().run()
    again = lab.backup(store=None, table=None).run()  # either would be an AttributeError
    assert (again.name, again.is_complete, again.records) == ("2026-12-01", True, 0)
    lab.time += timedelta(days=1)
    assert lab.backup().run().name == "2026-12-02"


def test_a_run_ends_in_time_and_the_next_goes_on(lab: BackupLab) -> None:
    records = lab.save(20)
    lab.tick = 6.0
    reports = [lab.backup().run()]
    while not reports[-1].is_complete:
        lab.time += timedelta(minutes=10)
        reports.append(lab.backup().run())
    assert len(reports) > 3
    assert [report.records for report in reports] == sorted({report.records for report in reports})
    assert len(lab.records("2026-12-01")) == len(records)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("puts", range(7))
def test_a_crash_leaves_one_that_is_visibly_incomplete_and_is_finished(
    puts: int, after: bool, lab: BackupLab
) -> None:
    records = lab.save(20)
    dying = Dying(lab.storage.backups, puts, after=after)
    try:
        lab.backup(store=dying).run()
    except KeyboardInterrupt:
        is_whole = "manifest.json" in {one.name for one in lab.storage.backups.files("2026-12-01")}
        assert [count for _, count in kept(lab.storage.backups)] in ([], [20 if is_whole else None])
    assert lab.backup().run().is_complete
    assert lab.records("2026-12-01") == {record.path: record for record in records}


def test_what_a_night_leaves_is_finished_the_next_day_before_the_next(lab: BackupLab) -> None:
    lab.save(20)
    lab.tick = 20.0
    assert not lab.backup().run().is_complete
    lab.time += timedelta(days=1)
    lab.tick = 0.0
    assert [lab.backup().run().name for _ in range(2)] == ["2026-12-01", "2026-12-02"]
    assert [count for _, count in kept(lab.storage.backups)] == [20, 20]


def test_two_runs_side_by_side_leave_no_gap(lab: BackupLab) -> None:
    """The second goes as far as it can in the middle of the first, with other parts."""
    records = lab.save(40)
    for _ in range(2):
        other = lab.backup(size=Size(page=2, records=2, seconds=10.0))
        lab.tick = 1.0
        table = InterceptedOnce(
            RecordTable(lab.storage.table, Layout(lab.storage.table)), "page", other.run
        )
        report = lab.backup(table=table).run()
        assert report.is_broken_off
        assert not report.is_complete
    lab.tick = 0.0
    assert lab.backup().run().is_complete
    assert lab.records("2026-12-01") == {record.path: record for record in records}


def test_an_image_that_is_uploaded_again_meanwhile_is_not_missed(lab: BackupLab) -> None:
    """It moves to the front of the order of uploads."""
    records = lab.save(12)
    last = max(records, key=lambda record: record.id)
    moved = replace(last, image=replace(last.image, modified=NIGHT))

    def upload_again() -> None:
        lab.storage.catalog.save(moved, lab.storage.catalog.get(last.path))

    table = InterceptedOnce(
        RecordTable(lab.storage.table, Layout(lab.storage.table)), "page", upload_again
    )
    lab.backup(table=table).run()
    assert lab.records("2026-12-01")[last.path] == moved
    assert len(lab.records("2026-12-01")) == 12


def test_a_record_that_cannot_be_read_is_in_it_too(lab: BackupLab) -> None:
    lab.save(5)
    strange = short("strange.jpg")
    lab.storage.catalog.save(strange, None)
    partition = Layout(lab.storage.table).partition_of(strange.id)
    keys = {"PartitionKey": partition, "RowKey": record_key(strange.id)}
    row = lab.storage.table.get(*keys.values())
    assert row
    lab.storage.table.upsert({**row.entity, "status": "published"})
    report = lab.backup().run()
    assert (report.records, report.unreadable) == (6, 1)
    assert lab.manifest("2026-12-01")["unreadable"] == 1
    found = [read(line.text) for line in lab.lines("2026-12-01")]
    [raw] = [one for one in found if isinstance(one, Unreadable)]
    assert raw.identity == strange.id
    assert (raw.row["status"], raw.row["caption"]) == ("published", strange.caption)


def test_stubs_are_no_records(lab: BackupLab) -> None:
    [record] = lab.save(1)
    partition = Layout(lab.storage.table).partition_of("0" * 64)
    lab.storage.table.upsert(
        {"PartitionKey": partition, "RowKey": record_key("0" * 64), "kind": "stub", "rows": "{}"}
    )
    lab.backup().run()
    assert lab.records("2026-12-01") == {record.path: record}


@pytest.fixture
def nights(lab: BackupLab) -> BackupLab:
    """Backups of five nights."""
    lab.save(3)
    for _ in range(5):
        assert lab.backup(days=100).run().is_complete
        lab.time += timedelta(days=1)
    return lab


def names(lab: BackupLab) -> list[str]:
    return lab.storage.backups.folders()


def test_old_ones_go_once_a_newer_one_is_complete(nights: BackupLab) -> None:
    nights.tick = 20.0
    assert not nights.backup(days=2, size=Size(page=1, records=1, seconds=10.0)).run().is_complete
    assert len(names(nights)) == 6
    nights.tick = 0.0
    assert nights.backup(days=2).run().deleted == 3
    assert names(nights) == ["2026-12-04", "2026-12-05", "2026-12-06"]


def test_an_empty_table_makes_none_and_deletes_none(nights: BackupLab) -> None:
    for record in list(nights.storage.catalog.walk()):
        stored = nights.storage.catalog.get(record.path)
        assert stored
        nights.storage.catalog.remove(stored)
    nights.time += timedelta(days=400)
    report = nights.backup(days=2).run()
    assert (report.is_complete, report.records, report.deleted) == (True, 0, 0)
    assert len(names(nights)) == 5
    assert nights.backup().lateness() is None


def test_a_deletion_that_is_broken_off_leaves_none_that_seems_whole(nights: BackupLab) -> None:
    store = nights.storage.backups

    class Failing:
        folders, files, put, read = store.folders, store.files, store.put, store.read

        def delete(self, folder: str, name: str) -> None:
            store.delete(folder, name)
            raise StorageUnavailable("down")

    assert nights.backup(store=Failing(), days=2).run().is_broken_off
    assert next(iter(kept(store))) == ("2026-12-01", None)


def test_what_others_put_into_the_container_stays(nights: BackupLab) -> None:
    nights.storage.backups.put("0-notes", "a.txt", b"x", {})
    nights.backup(days=1).run()
    assert names(nights)[0] == "0-notes"


def test_one_is_made_at_any_time_beside_the_nightly_ones(lab: BackupLab) -> None:
    lab.save(20)
    lab.tick = 20.0
    report = lab.backup().make()
    assert (report.name, report.records) == ("2026-12-01T020000", 20)
    assert lab.backup().run().name == "2026-12-01"
    assert len(lab.records(report.name)) == 20


def test_none_is_made_where_they_are_turned_off(lab: BackupLab) -> None:
    lab.save(1)
    backup = lab.backup(days=0)
    assert backup.run() == BackupReport()
    assert (names(lab), backup.lateness()) == ([], None)


def test_storage_that_fails_ends_a_run_without_an_error(lab: BackupLab) -> None:
    lab.save(1)

    class Broken:
        def folders(self) -> list[str]:
            raise StorageUnavailable("down")

        def files(self, folder: str) -> list[KeptFile]:
            raise StorageUnavailable("down")

    assert lab.backup(store=Broken()).run().is_broken_off


def test_health_is_told_when_the_last_one_is_two_days_old(lab: BackupLab) -> None:
    lab.save(20)
    assert lab.backup().lateness() is None
    lab.tick = 20.0
    lab.backup().run()  # the first one, which is never completed
    lab.time += timedelta(days=2, minutes=1)
    assert lab.backup().lateness() == "late"
    lab.tick = 0.0
    lab.backup().run()
    assert lab.backup().lateness() is None
    lab.time += timedelta(days=2, minutes=1)
    assert lab.backup().lateness() == "late"
