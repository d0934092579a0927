"""The brake: where too many images are missing, no record is marked or removed."""

from __future__ import annotations

import io
import logging
from dataclasses import replace

import pytest
from azure.storage.blob import ContainerClient

from captioning.domain.blobs import ContainerIdentity
from captioning.maintenance.brake import COMMAND, Brake
from captioning.maintenance.missing import KIND
from captioning.records.layout import Layout
from testing.harness.maintenance import ReconcileLab
from testing.harness.storage import Storage


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


def test_another_container_stops_it_whatever_it_holds(
    lab: ReconcileLab, caplog: pytest.LogCaptureFixture
) -> None:
    paths = edited(lab, 12)
    lab.orphan("gone.jpg")
    assert lab.run().stopped is None
    other = lab.storage._blobs.images(f"{lab.storage.name}-other")
    other.create()
    for path in paths[1:]:  # one image is missing
        other.write(path, io.BytesIO(b"x"), "", "image/jpeg", replaces=None)
    cleanup = lab.cleanup(images=other)
    for _ in range(3):
        lab.pass_time(hours=30)
        report = lab.run(images=other, forget=cleanup.forget)
        assert (report.stopped, report.records, report.removed) == ("other_container", 0, 0)
        assert report.blobs == 11
        assert reason(lab) == "other_container"
    assert COMMAND in caplog.text
    assert lab.run().removed == 1
    assert reason(lab) is None
    assert lab.listed() == paths


def test_a_container_that_was_made_again_is_another(lab: ReconcileLab) -> None:
    edited(lab, 2)
    lab.run()
    with ContainerClient.from_connection_string(lab.storage.connection, lab.storage.name) as client:
        client.set_container_metadata({})  # as a new one has none
    assert lab.run().stopped == "other_container"
    assert lab.reconciler().confirm().marked == 0
    assert (lab.run().stopped, reason(lab)) == (None, None)


def test_a_wrong_container_at_the_first_run_is_not_bound(lab: ReconcileLab) -> None:
    edited(lab, 2)
    other = lab.storage._blobs.images(f"{lab.storage.name}-other")
    other.create()
    assert lab.run(images=other).stopped == "images_missing"
    assert Layout(lab.storage.table).container() is None
    assert lab.run().stopped is None
    assert Layout(lab.storage.table).container() == lab.storage.images.identity()


def test_where_no_id_can_be_written_names_are_compared() -> None:
    named = ContainerIdentity("account", "images", "")
    assert named.is_same(named)
    assert replace(named, made="1").is_same(named)
    assert not named.is_same(replace(named, made="1"))
    assert not replace(named, account="other").is_same(named)
    assert not replace(named, container="other").is_same(named)
