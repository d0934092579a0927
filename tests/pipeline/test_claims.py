"""Claims: nobody pays for what another run is paying for, and nobody waits for the dead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord, StoredRecord
from captioning.errors import StorageUnavailable
from captioning.pipeline.pipeline import MOST_CRASHES
from testing.factories import pictures
from testing.fakes.faults import Crash, Line
from testing.harness.pipeline import LEASE, Works, on
from testing.services.chat_replies import throttled

JPEG = pictures.oriented(1)
AFTER = LEASE.total_seconds() + 1


def crashed(works: Works, *, at: str = "vision") -> CaptionRecord:
    """What a process leaves that is killed while it asks a service."""

    def die() -> None:
        raise Crash

    line = Line()
    service = works.vision if at == "vision" else works.model
    service.once(lambda: line.crash())
    with pytest.raises(Crash):
        works.pipeline(
            catalog=line.to(works.storage.catalog), store=line.to(works.storage.reuse)
        ).process(on("a.jpg"))
    return works.stored("a.jpg").record


def ended(works: Works, wake: CaptionMessage) -> CaptionRecord:
    made = works.pipeline().process(wake)
    assert made is not None
    assert works.stored("a.jpg").record == made
    return made


def test_a_claim_names_run_and_end(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    left = crashed(works)
    assert left.status == "processing"
    assert left.claim is not None
    assert left.claim.worker == "worker1/1"
    assert left.claim.until == works.clock() + LEASE


def test_the_claim_of_a_dead_run_ends(works: Works) -> None:
    """The host delivers the event again at once; its message wakes the image in time."""
    works.storage.upload("a.jpg", JPEG)
    crashed(works)
    assert ended(works, on("a.jpg")).status == "processing"
    assert works.due() == []
    works.clock.advance(AFTER)
    [wake] = works.due()
    assert ended(works, wake).status == "captioned"
    assert works.deferrals.held == []


def test_a_newer_upload_takes_over_a_claim(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    crashed(works)
    works.storage.upload("a.jpg", pictures.oriented(6))
    assert ended(works, on("a.jpg")).status == "captioned"


def test_a_run_that_died_between_the_services_does_not_pay_vision_again(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    crashed(works, at="model")
    works.clock.advance(AFTER)
    made = ended(works, on("a.jpg"))
    assert works.calls == (1, 2)
    assert made.usage.vision_calls == works.local_vision.billed == 3
    [tally] = [
        tally for _, _, tally in works.usage.between(works.clock().date(), works.clock().date())
    ]
    assert tally.vision_calls == 3


def test_what_a_dead_run_did_not_pay_is_not_booked_again(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    works.model.faults.append(throttled())
    assert ended(works, on("a.jpg")).status == "deferred"
    works.clock.advance(3600)
    crashed(works, at="model")
    works.clock.advance(AFTER)
    made = ended(works, on("a.jpg"))
    assert made.usage.vision_calls == works.local_vision.billed == 3
    assert sum(tally.vision_calls for tally in works.usage.held.values()) == 3


def test_an_image_that_kills_its_runs_is_given_up(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    for _ in range(MOST_CRASHES):
        crashed(works)
        works.clock.advance(AFTER)
    before = works.calls
    made = ended(works, on("a.jpg"))
    assert made.error is not None
    assert (made.status, made.error.code) == ("failed", "poisoned")
    assert "memory" in made.error.message
    assert works.calls == before


def test_exceptions_are_not_crashes(works: Works) -> None:
    """The host counts them by itself."""
    works.storage.upload("a.jpg", JPEG)

    def buggy(_: bytes) -> None:
        raise ZeroDivisionError

    for _ in range(MOST_CRASHES + 1):
        with pytest.raises(ZeroDivisionError):
            works.pipeline(inspect=buggy).process(on("a.jpg"))
    assert ended(works, on("a.jpg")).status == "captioned"


def test_a_lost_answer_to_the_claim_does_not_shut_the_run_out(works: Works) -> None:
    """The storage client sends the write again and is told that the record exists."""
    works.storage.upload("a.jpg", JPEG)

    class Echo:
        """The catalogue; the first write is done twice."""

        def __init__(self) -> None:
            self.first = True

        def __getattr__(self, name: str) -> object:
            return getattr(works.storage.catalog, name)

        def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
            if self.first:
                self.first = False
                works.storage.catalog.save(record, previous)
            return works.storage.catalog.save(record, previous)

    made = works.pipeline(catalog=Echo()).process(on("a.jpg"))
    assert made is not None
    assert made.status == "captioned"
    assert works.deferrals.held == []


def test_a_deferred_image_waits_for_its_message(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    works.vision.faults.append(throttled(retry_after="60"))
    left = ended(works, on("a.jpg"))
    assert left.status == "deferred"
    assert ended(works, on("a.jpg")) == left  # an event again: nothing is asked
    assert works.calls == (1, 0)
    works.clock.advance(90)
    first, second = works.due()
    assert first == second  # the event has sent its own
    assert ended(works, first).status == "captioned"
    assert ended(works, second).status == "captioned"
    assert works.calls == (2, 1)
    assert works.deferrals.held == []


def test_a_message_of_an_earlier_wait_is_void(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    works.vision.faults.append(throttled())
    first = ended(works, on("a.jpg"))
    works.clock.advance(60)
    [old] = works.due()
    works.vision.faults.append(throttled(retry_after="60"))
    second = ended(works, old)
    assert first.claim != second.claim
    held = list(works.deferrals.held)
    assert ended(works, old) == second
    assert works.deferrals.held == held
    assert works.calls == (2, 0)


def test_a_message_that_comes_early_is_taken_all_the_same(works: Works) -> None:
    """The queue's clock and ours differ, and there may be no other message."""
    works.storage.upload("a.jpg", JPEG)
    works.vision.faults.append(throttled())
    left = ended(works, on("a.jpg"))
    assert left.claim is not None
    works.clock.advance((left.claim.until - works.clock()).total_seconds() - 0.5)
    assert ended(works, CaptionMessage("a.jpg", ticket=left.claim.worker)).status == "captioned"


def test_after_a_day_it_is_given_up_and_can_be_asked_for(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    waits, record = [], None
    wake = on("a.jpg")
    while record is None or record.status == "deferred":
        works.vision.faults.append(throttled())
        before = works.clock()
        record = ended(works, wake)
        if record.status == "deferred":
            [message] = works.deferrals.held
            waits.append((message.due - before).total_seconds())
            works.clock.advance(waits[-1] + 1)
            [wake] = works.due()
    assert waits[:4] == pytest.approx([5.5, 11, 22, 44])
    assert max(waits) == 2 * 3600
    assert 24 <= sum(waits) / 3600 < 26
    assert record.error is not None
    assert (record.status, record.error.code) == ("failed", "gave_up")
    assert record.error.attempts == len(waits) + 1
    assert "25 hours" in record.error.message
    assert ended(works, on("a.jpg")) == record
    works.clock.advance(3600)
    made = ended(works, CaptionMessage("a.jpg", afresh="1"))
    assert made.status == "captioned"
    assert made.provenance.afresh == "1"


def test_storage_that_fails_puts_the_image_off(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    line = Line()
    pipeline = works.pipeline(catalog=line.to(works.storage.catalog))
    line.fail()
    assert pipeline.process(on("a.jpg")) is None
    assert works.storage.catalog.get("a.jpg") is None
    works.clock.advance(30)
    [wake] = works.due()
    assert ended(works, wake).status == "captioned"


def test_a_message_that_met_failing_storage_is_not_void(works: Works) -> None:
    """Its own claim has ended by then; the one that its run took could not be given up."""
    works.storage.upload("a.jpg", JPEG)
    works.vision.faults.append(throttled())
    ended(works, on("a.jpg"))
    works.clock.advance(10)
    [wake] = works.due()
    line = Line()
    for call in (3, 4):  # get, claim; then the save, and giving the claim up
        line.fail(call)
    assert works.pipeline(catalog=line.to(works.storage.catalog)).process(wake) is None
    assert works.stored("a.jpg").record.status == "processing"
    works.clock.advance(30)
    assert ended(works, *works.due()).status == "processing"
    works.clock.advance(AFTER)
    made = ended(works, *works.due())
    assert (made.status, made.provenance.reused_from) == ("captioned", None)
    assert made.usage.vision_calls == 3
    assert works.calls == (2, 1)


@pytest.mark.parametrize("call", [1, 2])
def test_a_queue_that_is_full_leaves_it_to_the_host(works: Works, call: int) -> None:
    """The record says deferred; whichever event comes next sends the message that is missing."""
    works.storage.upload("a.jpg", JPEG)
    works.vision.faults.append(throttled(retry_after="60"))
    line = Line()
    line.fail(1)
    line.fail(2)
    with pytest.raises(StorageUnavailable):
        works.pipeline(queue=line.to(works.deferrals)).process(on("a.jpg"))
    assert works.stored("a.jpg").record.status == "deferred"
    assert works.deferrals.held == []
    works.clock.advance(call)
    ended(works, on("a.jpg"))
    works.clock.advance(90)
    [wake] = works.due()
    assert ended(works, wake).status == "captioned"


def test_an_old_records_other_fields_stay_while_it_is_processed(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    made = ended(works, on("a.jpg"))
    seen: list[CaptionRecord] = []
    works.vision.on_request = lambda: seen.append(works.stored("a.jpg").record)
    works.clock.advance(1)
    ended(works, CaptionMessage("a.jpg", afresh="1"))
    [during] = seen
    assert during == replace(made, status="processing", claim=during.claim, updated=works.clock())
