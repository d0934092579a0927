"""The brake: where too many images are missing, no record is marked or removed."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from captioning.maintenance.brake import COMMAND, Brake
from captioning.maintenance.missing import KIND
from testing.harness.storage import Storage
from tests.maintenance.test_reconcile import ReconcileLab


@pytest.fixture
def lab(storage: Storage) -> ReconcileLab:
    return ReconcileLab(storage)


def reason(lab: ReconcileLab) -> str | None:
    return Brake(lab.state, lab.now).reason()


def edited(lab: ReconcileLab, count: int) -> list[str]:
    """Images with a caption that a person wrote; their paths."""
    for number in range(count):
        blob = lab.upload(f"{number:02}.jpg")
        lab.record(blob, caption=f"Mine {number}.", review="done")
    return [f"{number:02}.jpg" for number in range(count)]


def test_an_empty_container_removes_nothing_ever(
    lab: ReconcileLab, caplog: pytest.LogCaptureFixture
) -> None:
    paths = edited(lab, 12)
    empty = lab.storage._blobs.images(f"{lab.storage.name}-other")
    empty.create()
    cleanup = lab.cleanup(images=empty)
    for _ in range(5):
        report = lab.run(images=empty, forget=cleanup.forget)
        assert (report.stopped, report.marked, report.removed) == ("images_missing", 0, 0)
        assert reason(lab) == "images_missing"
        lab.pass_time(hours=30)
    errors = [line.message for line in caplog.records if line.levelno == logging.ERROR]
    assert all(COMMAND in error and "12 of 12" in error for error in errors)
    assert len(errors) == 5
    report = lab.run()
    assert (report.stopped, report.marked, report.removed) == (None, 0, 0)
    assert reason(lab) is None
    assert [lab.found(path).caption for path in paths] == [f"Mine {n}." for n in range(12)]


@pytest.mark.parametrize(("missing", "stopped"), [(20, None), (21, "images_missing")])
def test_more_than_a_handful_of_a_run_stops_it(
    missing: int, stopped: str | None, lab: ReconcileLab
) -> None:
    lab.record(lab.upload("there.jpg"))
    for number in range(missing):
        lab.orphan(f"{number}.jpg")
    report = lab.run()
    assert (report.stopped, report.marked) == (stopped, 0 if stopped else missing)


def test_records_that_are_due_stay_while_it_is_stopped(lab: ReconcileLab) -> None:
    edited(lab, 3)
    lab.orphan("gone.jpg")
    assert lab.run().marked == 1
    for number in range(3):
        lab.storage.delete(f"{number:02}.jpg")
    lab.pass_time(hours=25)
    assert (lab.run().removed, reason(lab)) == (0, "images_missing")
    assert len(lab.listed()) == 4


def test_confirmed_records_are_removed_a_day_later(lab: ReconcileLab) -> None:
    for number in range(30):
        lab.orphan(f"{number}.jpg")
    assert lab.run().stopped == "images_missing"
    report = lab.reconciler(page=4, record_pages=2).confirm()
    assert (report.records, report.marked, report.removed) == (30, 30, 0)
    assert reason(lab) is None
    lab.pass_time(hours=23)
    assert lab.run() == replace(report, marked=0)
    lab.pass_time(hours=1)
    assert lab.run().removed == 30
    assert list(lab.state.all(KIND)) == []
    assert lab.listed() == []


def test_confirming_again_changes_no_time(lab: ReconcileLab) -> None:
    lab.record(lab.upload("there.jpg"))
    lab.orphan("gone.jpg")
    lab.run()
    lab.pass_time(hours=20)
    assert lab.reconciler().confirm().marked == 1
    assert lab.reconciler().confirm().marked == 0
    lab.pass_time(hours=4)
    assert lab.run().removed == 1


def test_a_later_image_is_not_confirmed(lab: ReconcileLab) -> None:
    paths = edited(lab, 2)
    lab.storage.delete(paths[0])
    lab.reconciler().confirm()
    lab.storage.delete(paths[1])
    assert lab.run().stopped == "images_missing"
    lab.pass_time(hours=25)
    assert lab.run().removed == 0
    assert lab.listed() == paths
