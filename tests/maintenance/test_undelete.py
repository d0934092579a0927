"""Restoring what people wrote about images that were removed or overwritten."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from captioning.domain.record import CaptionRecord, record_id
from captioning.errors import StorageUnavailable
from captioning.maintenance.cleanup import RecordCleanup
from captioning.maintenance.undelete import Undelete
from captioning.records.edits import edited
from captioning.records.history import reverted
from captioning.records.trash import KEPT
from testing.factories.pictures import oriented
from testing.factories.records import short
from testing.fakes.faults import Crash, FaultInjector
from testing.harness.maintenance import ReconcileLab
from testing.harness.pipeline import PipelineLab, on

ANNA = {"caption": "Anna's caption.", "tags": [{"name": "anna", "confidence": 1.0}]}


class Desk:
    """An app in which people edit, images vanish and texts are restored."""

    def __init__(self, lab: PipelineLab) -> None:
        self.lab = lab
        self.trash = lab.storage.trash(lab.clock)

    def undelete(self, trash: Any = None, catalog: Any = None) -> Undelete:
        storage = self.lab.storage
        catalog, trash = catalog or storage.catalog, trash or self.trash
        return Undelete(storage.images, catalog, trash, self.lab.clock)

    def cleanup(self, trash: Any = None, catalog: Any = None) -> RecordCleanup:
        storage = self.lab.storage
        return RecordCleanup(
            storage.images,
            catalog or storage.catalog,
            storage.thumbnails,
            self.lab.deferrals,
            self.lab.clock,
            trash=trash or self.trash,
        )

    def captioned(self, path: str = "a.jpg", number: int = 1) -> CaptionRecord:
        """The record of an image that is uploaded."""
        self.lab.storage.upload(path, oriented(number))
        record = self.lab.pipeline().process(on(path))
        assert record
        return record

    def edited(self, path: str = "a.jpg", **edits: Any) -> None:
        stored = self.lab.stored(path)
        self.lab.clock.advance(10)
        made = edited(stored.record, edits or ANNA, self.lab.clock())
        self.lab.storage.catalog.save(made, stored)

    def removed(self, path: str = "a.jpg") -> None:
        """An image that somebody has deleted, and whose event has come."""
        self.lab.storage.delete(path)
        assert self.cleanup().forget(path)


@pytest.fixture
def desk(lab: PipelineLab) -> Desk:
    return Desk(lab)


def test_text_comes_back_with_its_image(desk: Desk) -> None:
    desk.captioned()
    desk.edited()
    desk.removed()
    assert desk.lab.storage.catalog.get("a.jpg") is None
    assert desk.undelete().restore("a.jpg") == "no_image"
    desk.captioned()
    model = desk.lab.stored("a.jpg").record.caption
    assert desk.undelete().restore("a.jpg", dry_run=True) == "restored"
    assert desk.lab.stored("a.jpg").record.caption == model
    assert desk.undelete().restore("a.jpg") == "restored"
    record = desk.lab.stored("a.jpg").record
    assert record.caption == ANNA["caption"]
    assert record.provenance.edited_by_human == ("caption", "tags")
    assert list(desk.trash.all()) == []
    assert desk.undelete().restore("a.jpg") == "nothing"
    assert reverted(record, desk.lab.clock()).caption == model


def test_only_what_people_wrote_is_kept(desk: Desk) -> None:
    desk.captioned()
    desk.removed()
    assert list(desk.trash.all()) == []


def test_a_record_is_put_back_where_the_image_has_none_yet(desk: Desk) -> None:
    """The next run compares the bytes."""
    desk.captioned()
    desk.edited()
    desk.removed()
    desk.lab.storage.upload("a.jpg", oriented(1))
    assert desk.undelete().restore("a.jpg") == "restored"
    paid = desk.lab.calls
    record = desk.lab.pipeline().process(on("a.jpg"))
    assert record
    assert record.caption == ANNA["caption"]
    assert desk.lab.calls == paid


def test_text_about_another_picture_goes_into_the_history(desk: Desk) -> None:
    desk.captioned()
    desk.edited()
    desk.removed()
    desk.captioned(number=2)
    model = desk.lab.stored("a.jpg").record.caption
    assert desk.undelete().restore("a.jpg") == "in_history"
    record = desk.lab.stored("a.jpg").record
    assert record.caption == model
    assert record.history[0].edits["caption"] == ANNA["caption"]
    assert desk.undelete().restore("a.jpg", force=True) == "restored"
    assert desk.lab.stored("a.jpg").record.caption == ANNA["caption"]


def test_text_waits_for_a_picture_that_nobody_has_looked_at(desk: Desk) -> None:
    desk.captioned()
    desk.edited()
    desk.removed()
    desk.lab.storage.upload("a.jpg", oriented(1))
    blob = desk.lab.storage.images.describe("a.jpg")
    claimed = short("a.jpg", status="processing")
    image = replace(claimed.image, etag=blob.etag, modified=blob.modified, bytes=blob.bytes)
    desk.lab.storage.catalog.save(replace(claimed, image=image), None)
    assert desk.undelete().restore("a.jpg") == "pending"
    record = desk.lab.pipeline().process(on("a.jpg"))
    assert record
    assert record.caption == ANNA["caption"]


def test_text_of_an_overwritten_image_is_restored_on_request(desk: Desk) -> None:
    desk.captioned()
    desk.edited()
    desk.captioned(number=2)
    assert desk.undelete().restore("a.jpg") == "in_history"
    assert desk.undelete().restore("a.jpg", force=True) == "restored"
    assert desk.lab.stored("a.jpg").record.caption == ANNA["caption"]


def test_a_removal_that_crashes_loses_nothing(desk: Desk) -> None:
    """At each of its calls, before it takes effect and after."""
    for call in range(1, 12):
        for after in (False, True):
            path = f"{call}-{after}.jpg"
            desk.captioned(path)
            desk.edited(path)
            desk.lab.storage.delete(path)
            faults = FaultInjector()
            cleanup = desk.cleanup(faults.wrap(desk.trash), faults.wrap(desk.lab.storage.catalog))
            faults.crash(call, after=after)
            with suppress(Crash):
                cleanup.forget(path)
            stored = desk.lab.storage.catalog.get(path)
            kept = desk.trash.of(record_id(path))
            texts = [entry.record.caption for entry in kept]
            assert ANNA["caption"] in [*texts, stored.record.caption if stored else None]
            desk.cleanup().forget(path)
            assert len(desk.trash.of(record_id(path))) == 1


def test_a_restore_that_fails_is_repeated(desk: Desk) -> None:
    desk.captioned()
    desk.edited()
    desk.removed()
    desk.captioned()
    for call in range(1, 6):
        faults = FaultInjector()
        undelete = desk.undelete(faults.wrap(desk.trash), faults.wrap(desk.lab.storage.catalog))
        faults.fail(call, after=True)
        with pytest.raises(StorageUnavailable):
            undelete.restore("a.jpg")
        if desk.lab.stored("a.jpg").record.caption == ANNA["caption"]:
            break
    assert desk.undelete().restore("a.jpg") in {"restored", "nothing"}
    record = desk.lab.stored("a.jpg").record
    assert record.caption == ANNA["caption"]
    assert list(desk.trash.all()) == []


def test_what_was_written_since_stays(desk: Desk) -> None:
    desk.captioned()
    desk.edited()
    desk.removed()
    desk.captioned()
    desk.edited(caption="Ben's caption.")
    assert desk.undelete().restore("a.jpg") == "restored"
    record = desk.lab.stored("a.jpg").record
    assert record.caption == "Ben's caption."
    assert [tag.name for tag in record.tags] == ["anna"]


def test_reconcile_empties_the_trash(desk: Desk) -> None:
    storage, clock = desk.lab.storage, desk.lab.clock
    desk.trash.put(storage.catalog.save(short("gone.jpg"), None))
    assert storage.images.is_there()
    lab = ReconcileLab(storage)
    clock.advance((KEPT + timedelta(seconds=1)).total_seconds())
    lab.run(trash=desk.trash)
    assert list(desk.trash.all()) == []
