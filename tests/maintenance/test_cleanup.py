"""Deleted blobs and poisoned messages, whatever order they come in."""

from __future__ import annotations

from typing import Any

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import RecordError
from captioning.errors import RecordChanged, StorageUnavailable
from testing.factories.records import START
from testing.harness.catalog_rows import rows_of
from testing.harness.maintenance import InterceptedOnce, MaintenanceLab
from testing.harness.storage import Storage

WAITING = RecordError("throttled", "Later.", attempts=3, since=START)


@pytest.fixture
def lab(storage: Storage) -> MaintenanceLab:
    return MaintenanceLab(storage)


class TestForget:
    def test_a_deleted_blob_leaves_neither_record_nor_rows(self, lab: MaintenanceLab) -> None:
        lab.record(lab.upload("a.jpg"))
        lab.record(lab.upload("b.jpg"))
        lab.storage.delete("a.jpg")
        assert lab.cleanup().forget("a.jpg")
        assert lab.stored("a.jpg") is None
        assert rows(lab) == 1
        assert lab.listed() == ["b.jpg"]
        assert not lab.cleanup().forget("a.jpg")

    def test_a_blob_that_was_uploaded_again_keeps_its_record(self, lab: MaintenanceLab) -> None:
        record = lab.record(lab.upload("a.jpg"))
        lab.storage.delete("a.jpg")
        lab.upload("a.jpg", b"again")
        assert not lab.cleanup().forget("a.jpg")
        assert lab.found("a.jpg") == record

    def test_what_is_uploaded_and_captioned_meanwhile_stays(self, lab: MaintenanceLab) -> None:
        """Between the look at the blob and the removal."""
        lab.record(lab.upload("a.jpg"))
        lab.storage.delete("a.jpg")

        def uploaded() -> None:
            lab.record(lab.upload("a.jpg", b"again"), caption="Again.")

        catalog = InterceptedOnce(lab.storage.catalog, "remove", uploaded)
        assert not lab.cleanup(catalog=catalog).forget("a.jpg")
        assert lab.found("a.jpg").caption == "Again."
        assert lab.listed() == ["a.jpg"]

    def test_what_is_captioned_after_the_record_was_read_stays(self, lab: MaintenanceLab) -> None:
        """Between the look at the record and the look at the blob, which is deleted once more."""
        lab.record(lab.upload("a.jpg"))

        def captioned() -> None:
            lab.record(lab.storage.images.describe("a.jpg"), caption="Again.")
            lab.storage.delete("a.jpg")

        images = InterceptedOnce(lab.storage.images, "describe", captioned)
        catalog = Counting(lab.storage.catalog)
        assert lab.cleanup(images=images, catalog=catalog).forget("a.jpg")
        assert catalog.refused == 1
        assert lab.stored("a.jpg") is None

    def test_a_run_that_saves_first_is_forgotten_after_it(self, lab: MaintenanceLab) -> None:
        blob = lab.upload("a.jpg")
        lab.record(blob, status="processing", claim=lab.claim(5))
        lab.storage.delete("a.jpg")
        catalog = InterceptedOnce(lab.storage.catalog, "remove", lambda: lab.record(blob))
        assert lab.cleanup(catalog=catalog).forget("a.jpg")
        assert lab.stored("a.jpg") is None


class Counting:
    """A catalogue that counts refused removals."""

    def __init__(self, catalog: Any) -> None:
        self._catalog = catalog
        self.get = catalog.get
        self.save = catalog.save
        self.refused = 0

    def remove(self, stored: Any) -> None:
        try:
            self._catalog.remove(stored)
        except RecordChanged:
            self.refused += 1
            raise


def rows(lab: MaintenanceLab) -> int:
    """Copies of records in the order of uploads."""
    return sum(key.startswith("all~") for key in rows_of(lab.storage.table))


class TestPoisoned:
    def test_an_image_without_a_record_is_failed(self, lab: MaintenanceLab) -> None:
        blob = lab.upload("a.jpg")
        record = lab.cleanup().poisoned("a.jpg")
        assert record == lab.found("a.jpg")
        assert (record.status, record.claim, record.created) == ("failed", None, lab.time)
        assert (record.image.etag, record.image.bytes) == (blob.etag, 1)
        assert record.error
        assert record.error.code == "poisoned"
        assert "python -m captioning reprocess --status failed" in record.error.message
        assert "POST /api/recaption/" in record.error.message
        assert lab.listed() == ["a.jpg"]

    def test_a_run_that_ended_without_a_trace_is_failed(self, lab: MaintenanceLab) -> None:
        blob = lab.upload("a.jpg")
        before = lab.record(
            blob, status="processing", claim=lab.claim(0), description="Kept.", error=WAITING
        )
        record = lab.cleanup().poisoned("a.jpg")
        assert record == lab.found("a.jpg")
        assert (record.status, record.claim, record.description) == ("failed", None, "Kept.")
        assert record.error
        assert record.error.attempts == WAITING.attempts
        assert (record.created, record.updated) == (before.created, lab.time)
        assert not lab.messages.put_by

    def test_the_record_of_an_older_upload_gives_way(self, lab: MaintenanceLab) -> None:
        before = lab.record(lab.upload("a.jpg"))
        blob = lab.upload("a.jpg", b"new")
        record = lab.cleanup().poisoned("a.jpg")
        assert record == lab.found("a.jpg")
        assert (record.status, record.image.etag, record.caption) == ("failed", blob.etag, None)
        assert record.created == before.created

    @pytest.mark.parametrize("status", ["captioned", "rejected", "failed"])
    def test_a_final_record_is_left_alone(self, status: Any, lab: MaintenanceLab) -> None:
        before = lab.record(lab.upload("a.jpg"), status=status, claim=lab.claim(5))
        assert lab.cleanup().poisoned("a.jpg") is None
        assert lab.found("a.jpg") == before
        assert not lab.messages.put_by

    @pytest.mark.parametrize(
        ("status", "minutes", "delay"),
        [("deferred", 5, 300.0), ("deferred", -5, 0.0), ("processing", 5, 300.0)],
    )
    def test_an_image_that_waits_or_is_in_hands_gets_its_message_again(
        self, status: Any, minutes: float, delay: float, lab: MaintenanceLab
    ) -> None:
        before = lab.record(
            lab.upload("a.jpg"), status=status, claim=lab.claim(minutes), error=WAITING
        )
        assert lab.cleanup().poisoned("a.jpg") is None
        assert lab.found("a.jpg") == before
        again = CaptionMessage("a.jpg", ticket="worker/1", attempts=1)
        assert lab.messages.put_by == [(again, delay)]

    def test_a_blob_that_is_gone_is_forgotten(self, lab: MaintenanceLab) -> None:
        lab.record(lab.upload("a.jpg"), status="processing", claim=lab.claim(-5))
        lab.storage.delete("a.jpg")
        assert lab.cleanup().poisoned("a.jpg") is None
        assert lab.stored("a.jpg") is None
        assert lab.cleanup().poisoned("never-there.jpg") is None

    def test_a_run_that_ends_well_meanwhile_has_the_word(self, lab: MaintenanceLab) -> None:
        blob = lab.upload("a.jpg")
        catalog = InterceptedOnce(
            lab.storage.catalog, "save", lambda: lab.record(blob, caption="In the end.")
        )
        assert lab.cleanup(catalog=catalog).poisoned("a.jpg") is None
        assert lab.found("a.jpg").caption == "In the end."

    def test_a_new_upload_meanwhile_is_the_one_that_is_judged(self, lab: MaintenanceLab) -> None:
        lab.record(lab.upload("a.jpg"), status="processing", claim=lab.claim(-5))

        def uploaded() -> None:
            lab.record(lab.upload("a.jpg", b"new"), status="deferred", claim=lab.claim(9))

        catalog = InterceptedOnce(lab.storage.catalog, "save", uploaded)
        assert lab.cleanup(catalog=catalog).poisoned("a.jpg") is None
        assert lab.found("a.jpg").status == "deferred"
        assert lab.messages.taken() == ["a.jpg"]

    def test_storage_trouble_leaves_the_message_to_the_host(self, lab: MaintenanceLab) -> None:
        lab.upload("a.jpg")

        def trouble() -> None:
            raise StorageUnavailable("storage answered 503")

        catalog = InterceptedOnce(lab.storage.catalog, "save", trouble)
        with pytest.raises(StorageUnavailable):
            lab.cleanup(catalog=catalog).poisoned("a.jpg")
