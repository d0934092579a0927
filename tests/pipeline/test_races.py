"""Uploads, deletions and runs that overlap: the newest upload has the last word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from captioning.domain.blobs import BlobDescription
from captioning.domain.record import CaptionRecord
from captioning.errors import BlobChanged
from captioning.records.catalog import EVERYTHING
from testing.factories import pictures
from testing.factories.records import START
from testing.harness.pipeline import LEASE, PipelineLab, on
from testing.services.chat_replies import throttled

SECOND = timedelta(seconds=1)
OLD = pictures.oriented(1)
NEW = pictures.encoded(pictures.quadrants(800, 600), "PNG")
LARGE = pictures.encoded(pictures.quadrants(800, 600), "BMP")


class InterceptedOnce:
    """The container; `action` runs once, between the look at the blob and what follows."""

    def __init__(self, lab: PipelineLab, action: Callable[[], object], looks: int = 1) -> None:
        self._images, self._action, self._looks = lab.storage.images, action, looks

    def describe(self, path: str) -> BlobDescription:
        blob = self._images.describe(path)
        self._looks -= 1
        if self._looks == 0:
            self._action()
        return blob

    def read(self, blob: BlobDescription) -> bytes:
        return self._images.read(blob)


def newer(lab: PipelineLab, *, then_process: bool = False) -> None:
    """Somebody uploads a new version; its own run may overtake ours."""
    lab.storage.upload("a.jpg", NEW)
    if then_process:
        made = lab.pipeline().process(on("a.jpg"))
        assert made is not None
        assert made.image.format == "PNG"


def is_of_the_newest(lab: PipelineLab, made: CaptionRecord | None) -> None:
    assert made is not None
    assert made == lab.stored("a.jpg").record
    assert (made.status, made.image.width) == ("captioned", 800)
    assert made.image.etag == lab.storage.images.describe("a.jpg").etag
    assert lab.storage.catalog.search(EVERYTHING, 5).records == (made,)


def test_an_upload_before_the_read_is_the_one_that_counts(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", OLD)
    images = InterceptedOnce(lab, lambda: newer(lab))
    is_of_the_newest(lab, lab.pipeline(images=images).process(on("a.jpg")))
    assert lab.calls == (1, 1)


def test_an_upload_during_the_model_call_gets_a_run_of_its_own(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", OLD)
    lab.model.once(lambda: newer(lab))
    lab.pipeline().process(on("a.jpg"))
    is_of_the_newest(lab, lab.pipeline().process(on("a.jpg")))


def test_an_older_run_that_ends_last_does_not_win(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", OLD)
    lab.model.once(lambda: newer(lab, then_process=True))
    is_of_the_newest(lab, lab.pipeline().process(on("a.jpg")))
    assert lab.calls == (2, 2)


def test_an_older_run_of_a_known_image_that_ends_last_does_not_win(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", LARGE)
    lab.pipeline().process(on("a.jpg"))
    lab.storage.upload("a.jpg", OLD)
    lab.model.once(lambda: newer(lab, then_process=True))
    is_of_the_newest(lab, lab.pipeline().process(on("a.jpg")))


def test_a_run_whose_upload_was_replaced_leaves_the_newer_record(lab: PipelineLab) -> None:
    """Each upload has an event of its own, and the newest one's comes last here."""
    lab.storage.upload("a.jpg", NEW)

    def replaced_twice() -> None:
        lab.storage.upload("a.jpg", OLD)
        lab.pipeline().process(on("a.jpg"))
        lab.storage.upload("a.jpg", NEW)

    lab.model.once(replaced_twice)
    left = lab.pipeline().process(on("a.jpg"))
    assert left is not None
    assert left.image.width == 400
    is_of_the_newest(lab, lab.pipeline().process(on("a.jpg")))
    assert lab.calls == (2, 2)


def test_a_late_rejection_of_an_older_upload_does_not_win(lab: PipelineLab) -> None:
    """A rejected blob is not read, so no read tells that it changed."""
    lab.storage.upload("a.jpg", LARGE)
    images = InterceptedOnce(lab, lambda: newer(lab, then_process=True))
    pipeline = lab.pipeline(images=images, max_image_bytes=len(NEW))
    is_of_the_newest(lab, pipeline.process(on("a.jpg")))


def test_a_second_delivery_during_a_run_returns_at_once(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", NEW)
    found: list[CaptionRecord | None] = []
    lab.vision.once(lambda: found.append(lab.pipeline().process(on("a.jpg"))))
    is_of_the_newest(lab, lab.pipeline().process(on("a.jpg")))
    assert found[0] is not None
    assert found[0].status == "processing"
    assert lab.calls == (1, 1)
    [message] = lab.deferrals.held  # should the first one have died
    assert (message.wake.ticket, message.due) == ("worker1/1", START + LEASE + SECOND)
    lab.clock.advance(LEASE.total_seconds() + 1)
    before = lab.stored("a.jpg")
    assert lab.pipeline().process(*lab.due()) == before.record
    assert lab.stored("a.jpg") == before
    assert lab.calls == (1, 1)


def test_a_run_that_outlives_its_claim_does_not_win_over_a_newer_upload(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", OLD)

    def overtaken() -> None:
        lab.clock.advance(LEASE.total_seconds() + 1)
        lab.pipeline().process(on("a.jpg"))
        newer(lab, then_process=True)

    lab.model.once(overtaken)
    is_of_the_newest(lab, lab.pipeline().process(on("a.jpg")))


def test_two_runs_of_one_upload_end_on_one_record(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", NEW)

    def overtaken() -> None:
        lab.clock.advance(LEASE.total_seconds() + 1)
        lab.pipeline().process(on("a.jpg"))

    lab.model.once(overtaken)
    is_of_the_newest(lab, lab.pipeline().process(on("a.jpg")))
    assert lab.calls == (1, 2)  # the analysis was saved


def test_a_run_that_must_wait_leaves_what_another_one_got(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", NEW)

    def overtaken_then_throttled() -> None:
        lab.clock.advance(LEASE.total_seconds() + 1)
        lab.pipeline().process(on("a.jpg"))
        lab.chat_service.script.append(throttled())

    lab.model.once(overtaken_then_throttled)
    is_of_the_newest(lab, lab.pipeline().process(on("a.jpg")))


def test_a_result_takes_the_place_of_anothers_wait(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", NEW)

    def overtaken_by_one_that_waits() -> None:
        lab.clock.advance(LEASE.total_seconds() + 1)
        lab.model.faults.append(throttled())
        other = lab.pipeline().process(on("a.jpg"))
        assert other is not None
        assert other.status == "deferred"

    lab.model.once(overtaken_by_one_that_waits)
    is_of_the_newest(lab, lab.pipeline().process(on("a.jpg")))


def test_a_blob_deleted_while_another_run_looked_ends_quietly(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", OLD)

    def deleted_then_seen() -> None:
        lab.storage.delete("a.jpg")
        lab.pipeline().process(on("a.jpg"))

    lab.model.once(deleted_then_seen)
    assert lab.pipeline().process(on("a.jpg")) is None
    assert lab.storage.catalog.get("a.jpg") is None
    assert lab.storage.catalog.search(EVERYTHING, 5).records == ()


def test_a_blob_that_never_rests_is_left_to_the_host(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", OLD)
    images = InterceptedOnce(lab, lambda: None)

    class Restless:
        """The container; the blob is overwritten before every read."""

        def describe(self, path: str) -> BlobDescription:
            blob = images.describe(path)
            lab.storage.upload(path, OLD)
            return blob

        def read(self, blob: BlobDescription) -> bytes:
            return images.read(blob)

    with pytest.raises(BlobChanged):
        lab.pipeline(images=Restless()).process(on("a.jpg"))
    assert lab.stored("a.jpg").record.claim is None
    assert lab.calls == (0, 0)
