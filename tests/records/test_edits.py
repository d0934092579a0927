"""What people wrote stays, whatever comes after it: guarantee 7, path by path."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from captioning.api.edits import EditApi
from captioning.api.messages import Request
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import Captioning, CaptionRecord, StoredRecord
from captioning.errors import RecordChanged, StorageUnavailable
from captioning.maintenance.recaption import Recaption
from testing.factories import pictures
from testing.fakes.faults import Crash, Line
from testing.harness.maintenance import Between
from testing.harness.pipeline import LEASE, Works, on
from testing.services.chat_replies import completion, throttled

JPEG, OTHER = pictures.oriented(1), pictures.encoded(pictures.quadrants(800, 600), "PNG")
NO_ANSWER = completion("{}")
WRITTEN: dict[str, Any] = {"caption": "Mila, 3.", "tags": ["Mila"], "review": "done"}
FIELDS = tuple(sorted(WRITTEN))


def write(works: Works, path: str = "a.jpg", **fields: Any) -> CaptionRecord:
    """Somebody edits a record; the record then."""
    body = json.dumps(fields or WRITTEN).encode()
    headers = {"content-type": "application/json", "if-match": "*"}
    response = EditApi(works.storage.catalog, works.clock).patch_caption(
        Request("/x", path, headers, body)
    )
    assert response.status == 200
    return works.stored(path).record


def run(works: Works, wake: CaptionMessage | None = None, **changes: Any) -> CaptionRecord:
    """The record after a delivery."""
    works.pipeline(**changes).process(wake or on("a.jpg"))
    return works.stored("a.jpg").record


def is_kept(record: CaptionRecord) -> None:
    assert (record.caption, record.review) == ("Mila, 3.", "done")
    assert [(tag.name, tag.confidence) for tag in record.tags] == [("Mila", 1.0)]
    assert record.provenance.edited_by_human == FIELDS
    assert record.carried is None


def images_counted(works: Works) -> int:
    return sum(tally.images for tally in works.usage.held.values())


class TestWhileARunIsUnderWay:
    @pytest.mark.parametrize("service", ["vision", "model"])
    def test_a_run_that_captions_keeps_what_was_written(self, works: Works, service: str) -> None:
        works.storage.upload("a.jpg", JPEG)
        getattr(works, service).once(lambda: write(works))
        record = run(works)
        is_kept(record)
        assert (record.status, record.claim) == ("captioned", None)
        assert record.alt_text
        assert record.objects
        assert record.provenance.model
        assert images_counted(works) == 1
        assert list(works.storage.catalog.walk()) == [record]

    def test_a_run_that_ends_by_an_error_keeps_it(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)
        works.model.faults.extend([NO_ANSWER, NO_ANSWER])
        works.vision.once(lambda: write(works))
        record = run(works)
        is_kept(record)
        assert record.status == "failed"
        assert images_counted(works) == 1

    def test_a_run_that_is_deferred_keeps_it_and_waits_as_ever(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)
        works.model.faults.append(throttled(retry_after="60"))
        works.vision.once(lambda: write(works))
        record = run(works)
        is_kept(record)
        assert (record.status, record.claim and record.claim.crashes) == ("deferred", 0)
        assert record.error
        assert record.error.since == works.clock()
        works.clock.advance(90)
        [wake] = works.due()
        record = run(works, wake)
        is_kept(record)
        assert record.status == "captioned"
        assert works.deferrals.held == []

    def test_a_run_that_rejects_keeps_it(self, works: Works) -> None:
        works.storage.upload("a.jpg", b"no image")
        images = Between(works.storage.images, "read", lambda: write(works))
        record = run(works, images=images)
        is_kept(record)
        assert record.status == "rejected"

    def test_a_claim_is_given_up_all_the_same(self, works: Works) -> None:
        """Else the next try would wait for its end, and take the run for one that was killed."""
        works.storage.upload("a.jpg", JPEG)

        def buggy(_: bytes) -> None:
            write(works)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            works.pipeline(inspect=buggy).process(on("a.jpg"))
        record = works.stored("a.jpg").record
        is_kept(record)
        assert (record.status, record.claim) == ("processing", None)
        record = run(works)
        is_kept(record)
        assert record.status == "captioned"

    def test_another_runs_claim_is_not_given_up(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)
        line = Line()

        def overtaken(_: bytes) -> None:
            works.clock.advance(LEASE.total_seconds() + 1)
            works.model.once(line.crash)
            with pytest.raises(Crash):
                run(works, catalog=line.to(works.storage.catalog))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            works.pipeline(inspect=overtaken).process(on("a.jpg"))
        claim = works.stored("a.jpg").record.claim
        assert claim
        assert claim.worker.startswith("worker2")

    def test_what_is_written_during_a_killed_run_stays(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)
        line = Line()

        def die() -> None:
            write(works)
            line.crash()

        works.model.once(die)
        with pytest.raises(Crash):
            works.pipeline(
                catalog=line.to(works.storage.catalog), store=line.to(works.storage.reuse)
            ).process(on("a.jpg"))
        works.clock.advance(LEASE.total_seconds() + 1)
        is_kept(run(works))

    def test_what_is_written_as_the_claim_is_made_stays(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)
        works.model.faults.append(throttled(retry_after="60"))
        run(works)
        works.clock.advance(90)
        catalog = Between(works.storage.catalog, "save", lambda: write(works))
        is_kept(run(works, works.due()[0], catalog=catalog))

    def test_a_save_whose_answer_was_lost_before_the_edit_counts_once(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)
        catalog = LosesAnAnswer(works, lambda: write(works))
        record = run(works, catalog=catalog)
        is_kept(record)
        assert record.status == "captioned"
        assert images_counted(works) == 1

    def test_a_run_that_sees_no_tag_tells_no_note_beside_a_caption(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)

        class Silent:
            """A model that has nothing to say."""

            identity = "silent"

            def caption(self, *_: object) -> Any:
                return Captioning("silent", {}, note="No tag.")

            def close(self) -> None: ...

        assert run(works, captioner=Silent()).note == "No tag."
        write(works, caption="Mila, 3.")
        works.storage.upload("a.jpg", JPEG)
        record = run(works, captioner=Silent())
        assert (record.caption, record.note, record.alt_text) == ("Mila, 3.", None, None)


class LosesAnAnswer:
    """A catalogue: the answer to the second save is lost, and somebody writes at once. The client
    tries again by itself then, and finds another version."""

    def __init__(self, works: Works, act: Callable[[], object]) -> None:
        self.get = works.storage.catalog.get
        self._save, self._act, self._saves = works.storage.catalog.save, act, 0

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        etag = self._save(record, previous)
        self._saves += 1
        if self._saves == 2:
            self._act()
            raise RecordChanged("Another version.")
        return etag


class TestAskedForAgain:
    @pytest.fixture
    def again(self, works: Works) -> Recaption:
        return Recaption(works.storage.images, works.storage.catalog, works.deferrals)

    def test_a_new_caption_replaces_what_nobody_wrote(self, works: Works, again: Recaption) -> None:
        works.storage.upload("a.jpg", JPEG)
        run(works)
        write(works)
        again.request("a.jpg")
        words = {
            "caption": "A cat.",
            "alt_text": "Quite another one: SALE.",
            "description": "A cat.",
        }
        answer = {"decorative": False, "texts": {"en": words, "de": words}}
        works.model.faults.append(completion(json.dumps(answer)))
        [wake] = works.due()
        record = run(works, wake)
        is_kept(record)
        assert works.calls == (2, 2)
        assert record.provenance.afresh == wake.afresh
        assert record.alt_text == "Quite another one: SALE."

    def test_a_failed_image_that_is_captioned_in_the_end_keeps_it(
        self, works: Works, again: Recaption
    ) -> None:
        works.storage.upload("a.jpg", JPEG)
        works.model.faults.extend([NO_ANSWER, NO_ANSWER])
        run(works)
        write(works)
        again.ask(works.stored("a.jpg").record, "a request")
        is_kept(works.stored("a.jpg").record)
        record = run(works, works.due()[0])
        is_kept(record)
        assert record.status == "captioned"

    def test_a_request_that_meets_an_edit_is_answered(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)
        works.model.faults.extend([NO_ANSWER, NO_ANSWER])
        run(works)
        catalog = Between(works.storage.catalog, "save", lambda: write(works))
        Recaption(works.storage.images, catalog, works.deferrals).request("a.jpg")
        record = run(works, works.due()[0])
        is_kept(record)
        assert record.status == "captioned"

    def test_a_rejected_image_that_is_rejected_again_keeps_it(
        self, works: Works, again: Recaption
    ) -> None:
        works.storage.upload("a.jpg", b"no image")
        assert run(works).status == "rejected"
        write(works)
        again.request("a.jpg")
        record = run(works, works.due()[0])
        is_kept(record)
        assert record.status == "rejected"

    def test_what_the_host_gives_up_keeps_it(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)

        def buggy(_: bytes) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            works.pipeline(inspect=buggy).process(on("a.jpg"))
        write(works)
        assert works.upkeep.poisoned("a.jpg")
        is_kept(works.stored("a.jpg").record)

    def test_copies_get_the_models_words(self, works: Works) -> None:
        works.storage.upload("a.jpg", JPEG)
        made = run(works)
        write(works)
        works.storage.upload("b.jpg", JPEG)
        copy = works.pipeline().process(on("b.jpg"))
        assert copy
        assert (copy.caption, copy.tags) == (made.caption, made.tags)
        assert copy.provenance.reused_from == "a.jpg"
        assert copy.provenance.edited_by_human == ()


class TestUploadedAgain:
    def edited(self, works: Works, data: bytes = JPEG) -> CaptionRecord:
        works.storage.upload("a.jpg", data)
        run(works)
        return write(works)

    def test_the_same_bytes_keep_it(self, works: Works) -> None:
        self.edited(works)
        works.storage.upload("a.jpg", JPEG)
        record = run(works)
        is_kept(record)
        assert record.provenance.reused_from == "a.jpg"
        assert works.calls == (1, 1)

    def test_other_bytes_do_not(self, works: Works) -> None:
        self.edited(works)
        works.storage.upload("a.jpg", OTHER)
        record = run(works)
        assert record.caption != "Mila, 3."
        assert (record.review, record.provenance.edited_by_human) == ("none", ())
        assert record.carried is None
        works.storage.upload("a.jpg", JPEG)
        assert run(works).provenance.edited_by_human == ()

    def test_until_the_bytes_are_known_it_is_not_shown_as_theirs(self, works: Works) -> None:
        """Nor lost: two runs are killed, the second after another upload of the same bytes."""
        self.edited(works)
        for _ in range(2):
            works.storage.upload("a.jpg", JPEG)
            line = Line()
            line.crash(2)
            with pytest.raises(Crash):
                run(works, images=line.to(works.storage.images))
            record = works.stored("a.jpg").record
            assert (record.caption, record.provenance.edited_by_human) == (None, ())
            assert record.carried
            assert record.carried.edits.keys() == set(FIELDS)
        works.clock.advance(LEASE.total_seconds() + 1)
        is_kept(run(works))

    def test_it_waits_while_the_image_does(self, works: Works) -> None:
        self.edited(works)
        works.storage.upload("a.jpg", JPEG)
        line = Line()
        line.fail(2)
        with pytest.raises(StorageUnavailable):
            run(works, images=line.to(works.storage.images), queue=Refusing())
        assert works.upkeep.poisoned("a.jpg")
        record = works.stored("a.jpg").record
        assert (record.status, record.caption) == ("failed", None)
        again = Recaption(works.storage.images, works.storage.catalog, works.deferrals)
        again.ask(record, "a request")
        is_kept(run(works, works.due()[0]))

    def test_a_broken_transfer_between_changes_nothing(self, works: Works) -> None:
        self.edited(works)
        works.storage.upload("a.jpg", JPEG[:100])
        record = run(works)
        assert (record.status, record.caption) == ("rejected", None)
        works.storage.upload("a.jpg", JPEG)
        is_kept(run(works))

    def test_what_is_written_about_the_new_upload_has_the_word(self, works: Works) -> None:
        self.edited(works)
        works.storage.upload("a.jpg", JPEG)
        images = Between(works.storage.images, "read", lambda: write(works, caption="Ben."))
        record = run(works, images=images)
        assert (record.caption, record.review) == ("Ben.", "done")
        assert record.provenance.edited_by_human == FIELDS

    def test_it_has_the_word_also_where_the_bytes_are_known_after_it(self, works: Works) -> None:
        """A run is killed before it reads them, somebody writes, and the next run reads them."""
        self.edited(works)
        works.storage.upload("a.jpg", JPEG)
        line = Line()
        line.crash(2)
        with pytest.raises(Crash):
            run(works, images=line.to(works.storage.images))
        write(works, caption="Ben.")
        works.clock.advance(LEASE.total_seconds() + 1)
        record = run(works)
        assert (record.caption, record.review) == ("Ben.", "done")
        assert record.provenance.edited_by_human == FIELDS

    def test_what_is_written_about_other_bytes_stays_with_them(self, works: Works) -> None:
        self.edited(works)
        works.storage.upload("a.jpg", OTHER)
        images = Between(works.storage.images, "read", lambda: write(works, caption="Ben."))
        record = run(works, images=images)
        assert (record.caption, record.review) == ("Ben.", "none")
        assert record.provenance.edited_by_human == ("caption",)

    def test_what_is_written_during_the_run_of_the_older_upload_stays(self, works: Works) -> None:
        """That run knows the bytes, and the newer one's has not begun."""
        works.storage.upload("a.jpg", JPEG)

        def both() -> None:
            write(works)
            works.storage.upload("a.jpg", JPEG)

        works.model.once(both)
        run(works)
        is_kept(run(works))

    def test_what_is_written_about_bytes_that_nobody_knew_ends_with_them(
        self, works: Works
    ) -> None:
        works.storage.upload("a.jpg", b"no image")
        run(works)
        write(works)
        works.storage.upload("a.jpg", JPEG)
        record = run(works)
        assert record.provenance.edited_by_human == ()
        assert record.carried is None

    def test_a_deleted_image_leaves_nothing(self, works: Works) -> None:
        self.edited(works)
        works.storage.delete("a.jpg")
        works.upkeep.forget("a.jpg")
        works.storage.upload("a.jpg", JPEG)
        assert run(works).provenance.edited_by_human == ()


class Refusing:
    """A queue that takes nothing."""

    def put(self, wake: CaptionMessage, delay: float) -> None:
        raise StorageUnavailable("storage answered 503")
