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
from captioning.records.history import reverted, texts_in
from testing.factories import pictures
from testing.fakes.faults import Crash, FaultInjector
from testing.harness.maintenance import InterceptedOnce
from testing.harness.pipeline import LEASE, PipelineLab, on
from testing.services.chat_replies import completion, throttled

JPEG, OTHER = pictures.oriented(1), pictures.encoded(pictures.quadrants(800, 600), "PNG")
NO_ANSWER = completion("{}")
WRITTEN: dict[str, Any] = {"caption": "Mila, 3.", "tags": ["Mila"], "review": "done"}
FIELDS = tuple(sorted(WRITTEN))


def write(lab: PipelineLab, path: str = "a.jpg", **fields: Any) -> CaptionRecord:
    """Somebody edits a record; the record then."""
    body = json.dumps(fields or WRITTEN).encode()
    headers = {"content-type": "application/json", "if-match": "*"}
    response = EditApi(lab.storage.catalog, lab.clock).patch_caption(
        Request("/x", path, headers, body)
    )
    assert response.status == 200
    return lab.stored(path).record


def run(lab: PipelineLab, wake: CaptionMessage | None = None, **changes: Any) -> CaptionRecord:
    """The record after a delivery."""
    lab.pipeline(**changes).process(wake or on("a.jpg"))
    return lab.stored("a.jpg").record


def is_kept(record: CaptionRecord) -> None:
    assert (record.caption, record.review) == ("Mila, 3.", "done")
    assert [(tag.name, tag.confidence) for tag in record.tags] == [("Mila", 1.0)]
    assert record.provenance.edited_by_human == FIELDS
    assert record.history == ()


def images_counted(lab: PipelineLab) -> int:
    return sum(tally.images for tally in lab.usage.held.values())


class TestWhileARunIsUnderWay:
    @pytest.mark.parametrize("service", ["vision", "model"])
    def test_a_run_that_captions_keeps_what_was_written(
        self, lab: PipelineLab, service: str
    ) -> None:
        lab.storage.upload("a.jpg", JPEG)
        getattr(lab, service).once(lambda: write(lab))
        record = run(lab)
        is_kept(record)
        assert (record.status, record.claim) == ("captioned", None)
        assert record.alt_text
        assert record.objects
        assert record.provenance.model
        assert images_counted(lab) == 1
        assert list(lab.storage.catalog.walk()) == [record]

    def test_a_run_that_ends_by_an_error_keeps_it(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        lab.model.faults.extend([NO_ANSWER, NO_ANSWER])
        lab.vision.once(lambda: write(lab))
        record = run(lab)
        is_kept(record)
        assert record.status == "failed"
        assert images_counted(lab) == 1

    def test_a_run_that_is_deferred_keeps_it_and_waits_as_ever(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        lab.model.faults.append(throttled(retry_after="60"))
        lab.vision.once(lambda: write(lab))
        record = run(lab)
        is_kept(record)
        assert (record.status, record.claim and record.claim.crashes) == ("deferred", 0)
        assert record.error
        assert record.error.since == lab.clock()
        lab.clock.advance(90)
        [wake] = lab.due()
        record = run(lab, wake)
        is_kept(record)
        assert record.status == "captioned"
        assert lab.deferrals.held == []

    def test_a_run_that_rejects_keeps_it(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", b"no image")
        images = InterceptedOnce(lab.storage.images, "read", lambda: write(lab))
        record = run(lab, images=images)
        is_kept(record)
        assert record.status == "rejected"

    def test_a_claim_is_given_up_all_the_same(self, lab: PipelineLab) -> None:
        """Else the next try would wait for its end, and take the run for one that was killed."""
        lab.storage.upload("a.jpg", JPEG)

        def buggy(_: bytes) -> None:
            write(lab)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            lab.pipeline(inspect=buggy).process(on("a.jpg"))
        record = lab.stored("a.jpg").record
        is_kept(record)
        assert (record.status, record.claim) == ("processing", None)
        record = run(lab)
        is_kept(record)
        assert record.status == "captioned"

    def test_another_runs_claim_is_not_given_up(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        injector = FaultInjector()

        def overtaken(_: bytes) -> None:
            lab.clock.advance(LEASE.total_seconds() + 1)
            lab.model.once(injector.crash)
            with pytest.raises(Crash):
                run(lab, catalog=injector.wrap(lab.storage.catalog))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            lab.pipeline(inspect=overtaken).process(on("a.jpg"))
        claim = lab.stored("a.jpg").record.claim
        assert claim
        assert claim.worker.startswith("worker2")

    def test_what_is_written_during_a_killed_run_stays(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        injector = FaultInjector()

        def die() -> None:
            write(lab)
            injector.crash()

        lab.model.once(die)
        with pytest.raises(Crash):
            lab.pipeline(
                catalog=injector.wrap(lab.storage.catalog), store=injector.wrap(lab.storage.reuse)
            ).process(on("a.jpg"))
        lab.clock.advance(LEASE.total_seconds() + 1)
        is_kept(run(lab))

    def test_what_is_written_as_the_claim_is_made_stays(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        lab.model.faults.append(throttled(retry_after="60"))
        run(lab)
        lab.clock.advance(90)
        catalog = InterceptedOnce(lab.storage.catalog, "save", lambda: write(lab))
        is_kept(run(lab, lab.due()[0], catalog=catalog))

    def test_a_save_whose_answer_was_lost_before_the_edit_counts_once(
        self, lab: PipelineLab
    ) -> None:
        lab.storage.upload("a.jpg", JPEG)
        catalog = LosesAnAnswer(lab, lambda: write(lab))
        record = run(lab, catalog=catalog)
        is_kept(record)
        assert record.status == "captioned"
        assert images_counted(lab) == 1

    def test_a_run_that_sees_no_tag_tells_no_note_beside_a_caption(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)

        class Silent:
            """A model that has nothing to say."""

            identity = "silent"

            def caption(self, *_: object) -> Any:
                return Captioning("silent", {}, note="No tag.")

            def close(self) -> None: ...

        assert run(lab, captioner=Silent()).note == "No tag."
        write(lab, caption="Mila, 3.")
        lab.storage.upload("a.jpg", JPEG)
        record = run(lab, captioner=Silent())
        assert (record.caption, record.note, record.alt_text) == ("Mila, 3.", None, None)


class LosesAnAnswer:
    """A catalogue: the answer to the second save is lost, and somebody writes at once. The client
    tries again by itself then, and finds another version."""

    def __init__(self, lab: PipelineLab, act: Callable[[], object]) -> None:
        self.get = lab.storage.catalog.get
        self._save, self._act, self._saves = lab.storage.catalog.save, act, 0

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        etag = self._save(record, previous)
        self._saves += 1
        if self._saves == 2:
            self._act()
            raise RecordChanged("Another version.")
        return etag


class TestAskedForAgain:
    @pytest.fixture
    def again(self, lab: PipelineLab) -> Recaption:
        return Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals)

    def test_a_new_caption_replaces_what_nobody_wrote(
        self, lab: PipelineLab, again: Recaption
    ) -> None:
        lab.storage.upload("a.jpg", JPEG)
        run(lab)
        write(lab)
        again.request("a.jpg")
        words = {
            "caption": "A cat.",
            "alt_text": "Quite another one: SALE.",
            "description": "A cat.",
        }
        answer = {"decorative": False, "texts": {"en": words, "de": words}}
        lab.model.faults.append(completion(json.dumps(answer)))
        [wake] = lab.due()
        record = run(lab, wake)
        is_kept(record)
        assert lab.calls == (2, 2)
        assert record.provenance.afresh == wake.afresh
        assert record.alt_text == "Quite another one: SALE."

    def test_a_failed_image_that_is_captioned_in_the_end_keeps_it(
        self, lab: PipelineLab, again: Recaption
    ) -> None:
        lab.storage.upload("a.jpg", JPEG)
        lab.model.faults.extend([NO_ANSWER, NO_ANSWER])
        run(lab)
        write(lab)
        again.ask(lab.stored("a.jpg").record, "a request")
        is_kept(lab.stored("a.jpg").record)
        record = run(lab, lab.due()[0])
        is_kept(record)
        assert record.status == "captioned"

    def test_a_request_that_meets_an_edit_is_answered(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        lab.model.faults.extend([NO_ANSWER, NO_ANSWER])
        run(lab)
        catalog = InterceptedOnce(lab.storage.catalog, "save", lambda: write(lab))
        Recaption(lab.storage.images, catalog, lab.deferrals).request("a.jpg")
        record = run(lab, lab.due()[0])
        is_kept(record)
        assert record.status == "captioned"

    def test_a_rejected_image_that_is_rejected_again_keeps_it(
        self, lab: PipelineLab, again: Recaption
    ) -> None:
        lab.storage.upload("a.jpg", b"no image")
        assert run(lab).status == "rejected"
        write(lab)
        again.request("a.jpg")
        record = run(lab, lab.due()[0])
        is_kept(record)
        assert record.status == "rejected"

    def test_what_the_host_gives_up_keeps_it(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)

        def buggy(_: bytes) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            lab.pipeline(inspect=buggy).process(on("a.jpg"))
        write(lab)
        assert lab.cleanup.poisoned("a.jpg")
        is_kept(lab.stored("a.jpg").record)

    def test_copies_get_the_models_words(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        made = run(lab)
        write(lab)
        lab.storage.upload("b.jpg", JPEG)
        copy = lab.pipeline().process(on("b.jpg"))
        assert copy
        assert (copy.caption, copy.tags) == (made.caption, made.tags)
        assert copy.provenance.reused_from == "a.jpg"
        assert copy.provenance.edited_by_human == ()


class TestUploadedAgain:
    def edited(self, lab: PipelineLab, data: bytes = JPEG) -> CaptionRecord:
        lab.storage.upload("a.jpg", data)
        run(lab)
        return write(lab)

    def test_the_same_bytes_keep_it(self, lab: PipelineLab) -> None:
        self.edited(lab)
        lab.storage.upload("a.jpg", JPEG)
        record = run(lab)
        is_kept(record)
        assert record.provenance.reused_from is None
        assert lab.calls == (1, 1)

    def test_other_bytes_do_not_and_it_returns_with_its_own(self, lab: PipelineLab) -> None:
        known = self.edited(lab)
        lab.storage.upload("a.jpg", OTHER)
        record = run(lab)
        assert record.caption != "Mila, 3."
        assert (record.review, record.provenance.edited_by_human) == ("none", ())
        [entry] = record.history
        assert (entry.sha256, {*entry.edits}) == (known.image.sha256, {*FIELDS})
        write(lab, caption="Ben.")
        for _ in range(2):
            lab.storage.upload("a.jpg", JPEG)
            record = run(lab)
            assert record.caption == "Mila, 3."
            assert [entry.edits for entry in record.history] == [{"caption": "Ben."}]
            lab.storage.upload("a.jpg", OTHER)
            record = run(lab)
            assert (record.caption, record.provenance.edited_by_human) == ("Ben.", ("caption",))
            assert [entry.edits.keys() for entry in record.history] == [set(FIELDS)]

    def test_a_revert_reaches_it_and_another_one_undoes_that(self, lab: PipelineLab) -> None:
        self.edited(lab)
        lab.storage.upload("a.jpg", OTHER)
        record = run(lab)
        back = reverted(record, lab.clock())
        assert (back.caption, back.review) == ("Mila, 3.", "done")
        assert texts_in(reverted(back, lab.clock()).to_json()) == texts_in(record.to_json())

    def test_until_the_bytes_are_known_it_is_not_shown_as_theirs(self, lab: PipelineLab) -> None:
        """Nor lost: two runs are killed, the second after another upload of the same bytes."""
        self.edited(lab)
        lab.storage.upload("a.jpg", OTHER)
        run(lab)
        for _ in range(2):
            lab.storage.upload("a.jpg", JPEG)
            injector = FaultInjector()
            injector.crash(2)
            with pytest.raises(Crash):
                run(lab, images=injector.wrap(lab.storage.images))
            record = lab.stored("a.jpg").record
            assert (record.caption, record.provenance.edited_by_human) == (None, ())
            [entry] = record.history
            assert entry.edits.keys() == set(FIELDS)
        lab.clock.advance(LEASE.total_seconds() + 1)
        is_kept(run(lab))

    def test_it_waits_while_the_image_does(self, lab: PipelineLab) -> None:
        self.edited(lab)
        lab.storage.upload("a.jpg", OTHER)
        run(lab)
        lab.storage.upload("a.jpg", JPEG)
        injector = FaultInjector()
        injector.fail(2)
        with pytest.raises(StorageUnavailable):
            run(lab, images=injector.wrap(lab.storage.images), queue=Refusing())
        assert lab.cleanup.poisoned("a.jpg")
        record = lab.stored("a.jpg").record
        assert (record.status, record.caption) == ("failed", None)
        again = Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals)
        again.ask(record, "a request")
        is_kept(run(lab, lab.due()[0]))

    def test_a_broken_transfer_between_changes_nothing(self, lab: PipelineLab) -> None:
        self.edited(lab)
        lab.storage.upload("a.jpg", JPEG[:100])
        record = run(lab)
        assert (record.status, record.caption) == ("rejected", None)
        lab.storage.upload("a.jpg", JPEG)
        is_kept(run(lab))

    def test_what_is_written_about_the_new_upload_has_the_word(self, lab: PipelineLab) -> None:
        self.edited(lab)
        lab.storage.upload("a.jpg", OTHER)
        run(lab)
        lab.storage.upload("a.jpg", JPEG)
        images = InterceptedOnce(lab.storage.images, "read", lambda: write(lab, caption="Ben."))
        record = run(lab, images=images)
        assert (record.caption, record.review) == ("Ben.", "done")
        assert record.provenance.edited_by_human == FIELDS

    def test_it_has_the_word_also_where_the_bytes_are_known_after_it(
        self, lab: PipelineLab
    ) -> None:
        """A run is killed before it reads them, somebody writes, and the next run reads them."""
        self.edited(lab)
        lab.storage.upload("a.jpg", OTHER)
        run(lab)
        lab.storage.upload("a.jpg", JPEG)
        injector = FaultInjector()
        injector.crash(2)
        with pytest.raises(Crash):
            run(lab, images=injector.wrap(lab.storage.images))
        write(lab, caption="Ben.")
        lab.clock.advance(LEASE.total_seconds() + 1)
        record = run(lab)
        assert (record.caption, record.review) == ("Ben.", "done")
        assert record.provenance.edited_by_human == FIELDS

    def test_what_is_written_about_other_bytes_stays_with_them(self, lab: PipelineLab) -> None:
        self.edited(lab)
        lab.storage.upload("a.jpg", OTHER)
        images = InterceptedOnce(lab.storage.images, "read", lambda: write(lab, caption="Ben."))
        record = run(lab, images=images)
        assert (record.caption, record.review) == ("Ben.", "none")
        assert record.provenance.edited_by_human == ("caption",)

    def test_what_is_written_during_the_run_of_the_older_upload_stays(
        self, lab: PipelineLab
    ) -> None:
        """That run knows the bytes, and the newer one's has not begun."""
        lab.storage.upload("a.jpg", JPEG)

        def both() -> None:
            write(lab)
            lab.storage.upload("a.jpg", JPEG)

        lab.model.once(both)
        run(lab)
        is_kept(run(lab))

    def test_what_is_written_about_bytes_that_nobody_knew_is_in_the_history(
        self, lab: PipelineLab
    ) -> None:
        lab.storage.allocate("a.jpg", 1024)
        assert run(lab, max_image_bytes=1023).status == "rejected"
        write(lab)
        lab.storage.upload("a.jpg", JPEG)
        record = run(lab)
        assert record.provenance.edited_by_human == ()
        [entry] = record.history
        assert (entry.sha256, {*entry.edits}) == (None, {*FIELDS})

    def test_what_is_written_about_a_file_that_is_no_image_returns_with_it(
        self, lab: PipelineLab
    ) -> None:
        lab.storage.upload("a.jpg", b"no image")
        run(lab)
        write(lab)
        lab.storage.upload("a.jpg", JPEG)
        run(lab)
        lab.storage.upload("a.jpg", b"no image")
        record = run(lab)
        is_kept(record)
        assert record.status == "rejected"

    def test_a_deleted_image_leaves_nothing(self, lab: PipelineLab) -> None:
        self.edited(lab)
        lab.storage.delete("a.jpg")
        lab.cleanup.forget("a.jpg")
        lab.storage.upload("a.jpg", JPEG)
        assert run(lab).provenance.edited_by_human == ()


class Refusing:
    """A queue that takes nothing."""

    def put(self, wake: CaptionMessage, delay: float) -> None:
        raise StorageUnavailable("storage answered 503")
