"""The round: what it finds, what it leaves alone, how far it goes, and where it goes on."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from captioning.errors import StorageUnavailable
from captioning.maintenance.missing import KIND as MISSING
from captioning.maintenance.reconcile import KIND, ReconcileReport
from captioning.records.layout import Layout, record_key
from captioning.storage.queues import connect
from testing.harness.maintenance import InterceptedOnce, ReconcileLab
from testing.harness.storage import Storage


@pytest.fixture
def lab(storage: Storage) -> ReconcileLab:
    return ReconcileLab(storage)


def test_images_from_before_the_app_are_queued(lab: ReconcileLab) -> None:
    for path in ("a.jpg", "b/🏖.jpg"):
        lab.upload(path)
    assert lab.run() == ReconcileReport(blobs=2, queued=2)
    assert lab.messages.taken() == ["a.jpg", "b/🏖.jpg"]


def test_an_image_whose_name_begins_with_a_slash_is_queued(lab: ReconcileLab) -> None:
    """The Functions host calls no function for it."""
    lab.upload("/leading.jpg")
    lab.run()
    assert lab.messages.taken() == ["/leading.jpg"]


def test_a_new_blob_is_left_to_its_event_for_ten_minutes(lab: ReconcileLab) -> None:
    blob = lab.upload("a.jpg")
    lab.record(lab.upload("b.jpg"))
    lab.upload("b.jpg", b"new")
    lab.time = blob.modified + timedelta(minutes=9)
    assert lab.run().queued == 0
    lab.pass_time(minutes=2)
    lab.run()
    assert lab.messages.taken() == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("status", "minutes", "is_queued"),
    [
        ("processing", 1, False),
        ("processing", 5, True),
        ("processing", -9, False),
        ("processing", -11, True),
        ("deferred", 300, False),
        ("deferred", -9, False),
        ("deferred", -11, True),
        ("captioned", -11, False),
        ("rejected", -11, False),
        ("failed", -11, False),
    ],
)
def test_claims_that_ended_long_ago_or_end_too_late_are_freed(
    status: Any, minutes: float, is_queued: bool, lab: ReconcileLab
) -> None:
    lab.record(lab.upload("a.jpg"), status=status, claim=lab.claim(minutes))
    assert lab.run().queued == is_queued
    assert lab.messages.taken() == ["a.jpg"] * is_queued


def test_the_record_of_another_upload_counts_for_nothing(lab: ReconcileLab) -> None:
    lab.record(lab.upload("a.jpg"), status="processing", claim=lab.claim(5))
    lab.upload("a.jpg", b"new")
    lab.run()
    assert lab.messages.taken() == ["a.jpg"]


def test_a_run_that_gave_its_claim_up_is_left_to_its_message_for_two_hours(
    lab: ReconcileLab,
) -> None:
    """It may wait that long where storage has failed again and again."""
    for minutes, path in ((129, "a.jpg"), (131, "b.jpg")):
        blob = lab.upload(path)
        updated = lab.time - timedelta(minutes=minutes)
        lab.record(blob, status="processing", claim=None, updated=updated)
    lab.run()
    assert lab.messages.taken() == ["b.jpg"]


def test_a_record_is_removed_when_its_blob_is_missing_for_a_day(lab: ReconcileLab) -> None:
    lab.record(lab.upload("a.jpg"))
    lab.orphan("gone.jpg")
    assert lab.run() == ReconcileReport(blobs=1, records=2, marked=1)
    lab.pass_time(hours=23)
    assert lab.run() == ReconcileReport(blobs=1, records=2)
    assert lab.listed() == ["a.jpg", "gone.jpg"]
    lab.pass_time(hours=1)
    assert lab.run() == ReconcileReport(blobs=1, records=2, removed=1)
    assert lab.stored("gone.jpg") is None
    assert lab.listed() == ["a.jpg"]
    assert list(lab.state.all(MISSING)) == []


def test_a_blob_that_is_back_clears_the_mark(lab: ReconcileLab) -> None:
    lab.record(lab.upload("a.jpg"))
    lab.orphan("b.jpg")
    assert lab.run().marked == 1
    lab.record(lab.upload("b.jpg"))
    assert lab.run().marked == 0
    assert list(lab.state.all(MISSING)) == []
    lab.storage.delete("b.jpg")
    lab.pass_time(hours=25)
    assert (lab.run().marked, lab.run().removed) == (1, 0)


def test_the_mark_of_a_record_that_an_event_removed_goes_as_well(lab: ReconcileLab) -> None:
    lab.record(lab.upload("a.jpg"))
    lab.orphan("b.jpg")
    lab.run()
    assert lab.cleanup().forget("b.jpg")
    lab.pass_time(hours=24)
    assert lab.run() == ReconcileReport(blobs=1, records=1)
    assert list(lab.state.all(MISSING)) == []


def test_a_blob_that_comes_back_in_between_keeps_its_record(lab: ReconcileLab) -> None:
    lab.record(lab.upload("b.jpg"))
    lab.orphan("a.jpg")
    lab.run()
    lab.pass_time(hours=24)
    again = InterceptedOnce(lab.storage.catalog, "remove", lambda: lab.record(lab.upload("a.jpg")))
    assert lab.run(forget=lab.cleanup(catalog=again).forget).removed == 0
    assert lab.listed() == ["a.jpg", "b.jpg"]


def test_runs_are_bounded_go_on_and_begin_anew(lab: ReconcileLab) -> None:
    paths = [f"{number}.jpg" for number in range(8)]
    for path in paths:
        lab.upload(path)
    found = []
    for expected in (4, 4, 4):
        assert lab.run(page=2, blob_pages=2).blobs == expected
        found.append(lab.messages.taken())
    assert found == [paths[:4], paths[4:], paths[:4]]


def test_records_are_walked_in_parts_too(lab: ReconcileLab) -> None:
    lab.record(lab.upload("a.jpg"))
    for number in range(5):
        lab.orphan(f"{number}.jpg")
    runs = [lab.run(page=2, record_pages=1) for _ in range(3)]
    lab.pass_time(hours=24)
    runs += [lab.run(page=2, record_pages=1) for _ in range(3)]
    assert sum(run.marked for run in runs) == 5
    assert sum(run.removed for run in runs) == 5
    assert all(run.records <= 2 for run in runs)
    assert lab.listed() == ["a.jpg"]


def test_a_full_queue_stops_the_walk_where_it_is(lab: ReconcileLab) -> None:
    for number in range(6):
        lab.upload(f"{number}.jpg")
    lab.orphan("gone.jpg")
    lab.orphan("5.jpg")
    report = lab.run(page=2, deepest=3)
    assert report == ReconcileReport(blobs=4, records=2, queued=4, marked=1, is_full=True)
    assert lab.messages.taken() == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    lab.messages.deep = 3
    assert lab.run(page=2, deepest=3) == ReconcileReport(records=2, is_full=True)
    lab.messages.deep = 0
    assert lab.run(page=2, deepest=3).blobs == 2
    assert lab.messages.taken() == ["4.jpg", "5.jpg"]


def test_messages_are_spread_over_half_a_minute(lab: ReconcileLab) -> None:
    for number in range(40):
        lab.upload(f"{number}.jpg")
    lab.run()
    delays = sorted(delay for _, delay in lab.messages.put_by)
    assert delays == sorted([*range(30), *range(10)])


def test_storage_trouble_ends_the_run_and_not_the_round(
    lab: ReconcileLab, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(6):
        lab.upload(f"{number}.jpg")
    queue = Failing(lab.messages, "put", after=3)
    with caplog.at_level(logging.WARNING):
        report = lab.run(page=2, queue=queue)
    assert report.is_broken_off
    assert (report.blobs, report.queued) == (2, 2)
    assert [line.message for line in caplog.records] == [
        "Reconcile stopped and continues at its next run: storage answered 503"
    ]
    lab.messages.taken()
    assert lab.run(page=2).blobs == 4
    assert lab.messages.taken() == ["2.jpg", "3.jpg", "4.jpg", "5.jpg"]


class Failing:
    """A part of which one method works so often, and then does not."""

    def __init__(self, part: Any, method: str, after: int) -> None:
        self._part, self._method, self._left = part, method, after
        self._lock = threading.Lock()
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._part, name)

        def call(*args: Any) -> Any:
            with self._lock:
                self.calls += 1
                self._left -= 1
            if self._left < 0:
                raise StorageUnavailable("storage answered 503")
            return getattr(self._part, name)(*args)

        return call


def test_an_outage_is_not_waited_for_once_per_blob(lab: ReconcileLab) -> None:
    for number in range(40):
        lab.upload(f"{number}.jpg")
    catalog = Failing(lab.storage.catalog, "get", after=0)
    assert lab.run(catalog=catalog, readers=2).is_broken_off
    assert catalog.calls < 10


@pytest.mark.parametrize("name", ["blobs", "records"])
def test_a_position_that_is_refused_is_dropped(
    name: str, lab: ReconcileLab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.record(lab.upload("a.jpg"))
    lab.state.put(KIND, name, {"from": "another account"})

    class Refusing:
        """As the SDK does where the service answers 400."""

        def __init__(self, page: Any) -> None:
            self._page = page

        def __call__(self, size: int, position: Any) -> Any:
            if position:
                raise RuntimeError("OutOfRangeInput")
            return self._page(size, position)

    class Part:
        def __init__(self, part: Any) -> None:
            self.describe = getattr(part, "describe", None)
            self.page = Refusing(getattr(part, "page", None))
            self.paths = Refusing(getattr(part, "paths", None))
            self.identity = getattr(part, "identity", None)
            self.get, self.settle = getattr(part, "get", None), getattr(part, "settle", None)

    changes = {
        "blobs": {"images": Part(lab.storage.images)},
        "records": {"catalog": Part(lab.storage.catalog)},
    }
    with caplog.at_level(logging.WARNING):
        assert lab.run(**changes[name]) == ReconcileReport(blobs=1, records=1)
    assert [line.message for line in caplog.records] == [
        f"The walk of {name} starts from the beginning: RuntimeError"
    ]
    assert lab.state.get(KIND, name) is None


def test_a_record_that_cannot_be_read_does_not_keep_the_others(
    lab: ReconcileLab, caplog: pytest.LogCaptureFixture
) -> None:
    identity = lab.record(lab.upload("another version's.jpg"), caption="Secret.").id
    lab.upload("b.jpg")
    table = lab.storage.table
    row = table.get(Layout(table).partition_of(identity), record_key(identity))
    assert row
    table.upsert({**row.entity, "status": "odd"})
    report = lab.run()
    assert report == ReconcileReport(blobs=2, records=1, queued=1, unreadable=1)
    assert lab.messages.taken() == ["b.jpg"]
    assert "Secret" not in caplog.text
    assert f"The record {identity} cannot be read" in caplog.text


def test_a_run_is_one_line_of_counts(lab: ReconcileLab, caplog: pytest.LogCaptureFixture) -> None:
    lab.upload("private.jpg")
    with caplog.at_level(logging.INFO, "captioning"):
        lab.run()
    (line,) = (record.message for record in caplog.records)
    assert json.loads(line) == {
        "event": "reconcile",
        "blobs": 1,
        "records": 0,
        "queued": 1,
        "without_event": 0,
        "marked": 0,
        "removed": 0,
        "stopped": None,
        "unreadable": 0,
        "settled": 0,
        "is_full": False,
        "is_broken_off": False,
    }


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made_stack:
        yield made_stack


def test_the_real_queue_takes_and_holds_it_back(lab: ReconcileLab, stack: ExitStack) -> None:
    queue = connect(lab.storage.name, connection_string=lab.storage.connection)
    stack.callback(queue.close)
    queue.create()
    for number in range(4):
        lab.upload(f"{number}.jpg")
    report = lab.run(queue=queue, page=2, deepest=2)
    assert (report.queued, report.is_full) == (2, True)
    assert queue.depth() == 2
