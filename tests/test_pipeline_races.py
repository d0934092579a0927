"""Uploads, deletions and runs that overlap: the newest upload has the last word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from captioning.errors import BlobChanged, ServiceThrottled
from captioning.models import BlobDescription, CaptionRecord
from captioning.pipeline import OVERWRITES
from tests import pictures
from tests.pipeline_lab import Works
from tests.wire.chat_replies import throttled

OLD = pictures.oriented(1)
NEW = pictures.encoded(pictures.quadrants(800, 600), "PNG")
LARGE = pictures.encoded(pictures.quadrants(800, 600), "BMP")


class Between:
    """The container; `action` runs once, between the look at the blob and what follows."""

    def __init__(self, works: Works, action: Callable[[], object], looks: int = 1) -> None:
        self._images, self._action, self._looks = works.storage.images, action, looks

    def describe(self, path: str) -> BlobDescription:
        blob = self._images.describe(path)
        self._looks -= 1
        if self._looks == 0:
            self._action()
        return blob

    def read(self, blob: BlobDescription) -> bytes:
        return self._images.read(blob)


def newer(works: Works, *, then_process: bool = False) -> None:
    """Somebody uploads a new version; its own run may overtake ours."""
    works.storage.upload("a.jpg", NEW)
    if then_process:
        made = works.pipeline().process("a.jpg")
        assert made is not None
        assert made.image.format == "PNG"


def is_of_the_newest(works: Works, made: CaptionRecord | None) -> None:
    assert made is not None
    assert made == works.stored("a.jpg").record
    assert (made.status, made.image.width) == ("captioned", 800)
    assert made.image.etag == works.storage.images.describe("a.jpg").etag
    assert works.storage.catalog.page(5).records == (made,)


def test_an_upload_before_the_read_is_the_one_that_counts(works: Works) -> None:
    works.storage.upload("a.jpg", OLD)
    images = Between(works, lambda: newer(works))
    is_of_the_newest(works, works.pipeline(images=images).process("a.jpg"))
    assert works.calls == (1, 1)


def test_an_upload_during_the_model_call_gets_a_run_of_its_own(works: Works) -> None:
    works.storage.upload("a.jpg", OLD)
    works.model.once(lambda: newer(works))
    works.pipeline().process("a.jpg")
    is_of_the_newest(works, works.pipeline().process("a.jpg"))


def test_an_older_run_that_ends_last_does_not_win(works: Works) -> None:
    works.storage.upload("a.jpg", OLD)
    works.model.once(lambda: newer(works, then_process=True))
    is_of_the_newest(works, works.pipeline().process("a.jpg"))
    assert works.calls == (2, 2)


def test_an_older_run_of_a_known_image_that_ends_last_does_not_win(works: Works) -> None:
    works.storage.upload("a.jpg", LARGE)
    works.pipeline().process("a.jpg")
    works.storage.upload("a.jpg", OLD)
    works.model.once(lambda: newer(works, then_process=True))
    is_of_the_newest(works, works.pipeline().process("a.jpg"))


def test_a_newer_run_overtakes_an_older_one_that_is_already_saved(works: Works) -> None:
    works.storage.upload("a.jpg", NEW)

    def older() -> None:
        works.storage.upload("a.jpg", OLD)
        works.pipeline().process("a.jpg")
        works.storage.upload("a.jpg", NEW)

    works.model.once(older)
    is_of_the_newest(works, works.pipeline().process("a.jpg"))


def test_a_late_rejection_of_an_older_upload_does_not_win(works: Works) -> None:
    """A rejected blob is not read, so no read tells that it changed."""
    works.storage.upload("a.jpg", LARGE)
    images = Between(works, lambda: newer(works, then_process=True))
    pipeline = works.pipeline(images=images, max_image_bytes=len(NEW))
    is_of_the_newest(works, pipeline.process("a.jpg"))


def test_an_older_run_that_loses_twice_does_not_win(works: Works) -> None:
    works.storage.upload("a.jpg", OLD)
    works.model.once(lambda: works.pipeline().process("a.jpg"))
    images = Between(works, lambda: newer(works, then_process=True), looks=2)
    works.pipeline(images=images).process("a.jpg")
    is_of_the_newest(works, works.stored("a.jpg").record)


def test_two_runs_of_one_upload_end_on_one_record(works: Works) -> None:
    works.storage.upload("a.jpg", NEW)
    works.model.once(lambda: works.pipeline().process("a.jpg"))
    is_of_the_newest(works, works.pipeline().process("a.jpg"))


def test_a_run_that_must_wait_leaves_what_another_one_got(works: Works) -> None:
    works.storage.upload("a.jpg", NEW)

    def another_one_then_throttled() -> None:
        works.pipeline().process("a.jpg")
        works.chat_service.script.append(throttled())

    works.model.once(another_one_then_throttled)
    is_of_the_newest(works, works.pipeline().process("a.jpg"))


def test_a_result_takes_the_place_of_anothers_wait(works: Works) -> None:
    works.storage.upload("a.jpg", NEW)

    def throttled_one() -> None:
        works.vision.faults.append(throttled())
        with pytest.raises(ServiceThrottled):
            works.pipeline().process("a.jpg")

    works.model.once(throttled_one)
    is_of_the_newest(works, works.pipeline().process("a.jpg"))


def test_a_blob_deleted_while_another_run_saved_ends_quietly(works: Works) -> None:
    works.storage.upload("a.jpg", OLD)

    def saved_then_deleted() -> None:
        works.pipeline().process("a.jpg")
        works.storage.delete("a.jpg")

    works.model.once(saved_then_deleted)
    assert works.pipeline().process("a.jpg") is None


def test_a_blob_that_never_rests_is_left_to_the_host(works: Works) -> None:
    works.storage.upload("a.jpg", OLD)
    images = Between(works, lambda: None)

    class Restless:
        """The container; the blob is overwritten before every read."""

        def describe(self, path: str) -> BlobDescription:
            blob = images.describe(path)
            works.storage.upload(path, OLD)
            return blob

        def read(self, blob: BlobDescription) -> bytes:
            return images.read(blob)

    recorded, sent = works.storage.recorded_catalog()
    with pytest.raises(BlobChanged):
        works.pipeline(images=Restless(), catalog=recorded).process("a.jpg")
    assert sent == ["GET"] * OVERWRITES
    assert works.calls == (0, 0)
