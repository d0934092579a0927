"""Claims: nobody pays for what another run is paying for, and nobody waits for the dead."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord, Claim, StoredRecord
from captioning.errors import StorageUnavailable
from captioning.pipeline.pipeline import MOST_CRASHES
from captioning.reuse.claim import ContentClaim
from captioning.reuse.entries import ReuseEntry
from testing.factories import pictures
from testing.fakes.faults import Crash, FaultInjector
from testing.harness.pipeline import LEASE, PipelineLab, on
from testing.services.chat_replies import throttled

JPEG = pictures.oriented(1)
AFTER = LEASE.total_seconds() + 1


def crashed(lab: PipelineLab, *, at: str = "vision") -> CaptionRecord:
    """What a process leaves that is killed while it asks a service."""

    def die() -> None:
        raise Crash

    injector = FaultInjector()
    service = lab.vision if at == "vision" else lab.model
    service.once(lambda: injector.crash())
    with pytest.raises(Crash):
        lab.pipeline(
            catalog=injector.wrap(lab.storage.catalog), store=injector.wrap(lab.storage.reuse)
        ).process(on("a.jpg"))
    return lab.stored("a.jpg").record


def ended(lab: PipelineLab, wake: CaptionMessage) -> CaptionRecord:
    made = lab.pipeline().process(wake)
    assert made is not None
    assert lab.stored("a.jpg").record == made
    return made


def test_a_claim_names_run_and_end(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    left = crashed(lab)
    assert left.status == "processing"
    assert left.claim is not None
    assert left.claim.worker == "worker1/1"
    assert left.claim.until == lab.clock() + LEASE


def test_the_claim_of_a_dead_run_ends(lab: PipelineLab) -> None:
    """The host delivers the event again at once; its message wakes the image in time."""
    lab.storage.upload("a.jpg", JPEG)
    crashed(lab)
    assert ended(lab, on("a.jpg")).status == "processing"
    assert lab.due() == []
    lab.clock.advance(AFTER)
    [wake] = lab.due()
    assert ended(lab, wake).status == "captioned"
    assert lab.deferrals.held == []


def test_a_newer_upload_takes_over_a_claim(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    crashed(lab)
    lab.storage.upload("a.jpg", pictures.oriented(6))
    assert ended(lab, on("a.jpg")).status == "captioned"


def test_a_run_that_died_between_the_services_does_not_pay_vision_again(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    crashed(lab, at="model")
    lab.clock.advance(AFTER)
    made = ended(lab, on("a.jpg"))
    assert lab.calls == (1, 2)
    assert made.usage.vision_calls == lab.local_vision.billed == 3
    [tally] = [tally for _, _, tally in lab.usage.between(lab.clock().date(), lab.clock().date())]
    assert tally.vision_calls == 3


def test_what_a_dead_run_did_not_pay_is_not_booked_again(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.model.faults.append(throttled())
    assert ended(lab, on("a.jpg")).status == "deferred"
    lab.clock.advance(3600)
    crashed(lab, at="model")
    lab.clock.advance(AFTER)
    made = ended(lab, on("a.jpg"))
    assert made.usage.vision_calls == lab.local_vision.billed == 3
    assert sum(tally.vision_calls for tally in lab.usage.held.values()) == 3


def test_an_image_that_kills_its_runs_is_given_up(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    for _ in range(MOST_CRASHES):
        crashed(lab)
        lab.clock.advance(AFTER)
    before = lab.calls
    made = ended(lab, on("a.jpg"))
    assert made.error is not None
    assert (made.status, made.error.code) == ("failed", "poisoned")
    assert "memory" in made.error.message
    assert lab.calls == before


def test_exceptions_are_not_crashes(lab: PipelineLab) -> None:
    """The host counts them by itself."""
    lab.storage.upload("a.jpg", JPEG)

    def buggy(_: bytes) -> None:
        raise ZeroDivisionError

    for _ in range(MOST_CRASHES + 1):
        with pytest.raises(ZeroDivisionError):
            lab.pipeline(inspect=buggy).process(on("a.jpg"))
    assert ended(lab, on("a.jpg")).status == "captioned"


def test_a_lost_answer_to_the_claim_does_not_shut_the_run_out(lab: PipelineLab) -> None:
    """The storage client sends the write again and is told that the record exists."""
    lab.storage.upload("a.jpg", JPEG)

    class Echo:
        """The catalogue; the first write is done twice."""

        def __init__(self) -> None:
            self.first = True

        def __getattr__(self, name: str) -> object:
            return getattr(lab.storage.catalog, name)

        def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
            if self.first:
                self.first = False
                lab.storage.catalog.save(record, previous)
            return lab.storage.catalog.save(record, previous)

    made = lab.pipeline(catalog=Echo()).process(on("a.jpg"))
    assert made is not None
    assert made.status == "captioned"
    assert lab.deferrals.held == []


def test_a_deferred_image_waits_for_its_message(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.vision.faults.append(throttled(retry_after="60"))
    left = ended(lab, on("a.jpg"))
    assert left.status == "deferred"
    assert ended(lab, on("a.jpg")) == left  # an event again: nothing is asked
    assert lab.calls == (1, 0)
    lab.clock.advance(90)
    first, second = lab.due()
    assert first == second  # the event has sent its own
    assert ended(lab, first).status == "captioned"
    assert ended(lab, second).status == "captioned"
    assert lab.calls == (2, 1)
    assert lab.deferrals.held == []


def test_a_message_of_an_earlier_wait_is_void(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.vision.faults.append(throttled())
    first = ended(lab, on("a.jpg"))
    lab.clock.advance(60)
    [old] = lab.due()
    lab.vision.faults.append(throttled(retry_after="60"))
    second = ended(lab, old)
    assert first.claim != second.claim
    held = list(lab.deferrals.held)
    assert ended(lab, old) == second
    assert lab.deferrals.held == held
    assert lab.calls == (2, 0)


def test_a_message_that_comes_early_is_taken_all_the_same(lab: PipelineLab) -> None:
    """The queue's clock and ours differ, and there may be no other message."""
    lab.storage.upload("a.jpg", JPEG)
    lab.vision.faults.append(throttled())
    left = ended(lab, on("a.jpg"))
    assert left.claim is not None
    lab.clock.advance((left.claim.until - lab.clock()).total_seconds() - 0.5)
    assert ended(lab, CaptionMessage("a.jpg", ticket=left.claim.worker)).status == "captioned"


def test_after_a_day_it_is_given_up_and_can_be_asked_for(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    waits, record = [], None
    wake = on("a.jpg")
    while record is None or record.status == "deferred":
        lab.vision.faults.append(throttled())
        before = lab.clock()
        record = ended(lab, wake)
        if record.status == "deferred":
            [message] = lab.deferrals.held
            waits.append((message.due - before).total_seconds())
            lab.clock.advance(waits[-1] + 1)
            [wake] = lab.due()
    assert waits[:4] == pytest.approx([5.5, 11, 22, 44])
    assert max(waits) == 2 * 3600
    assert 24 <= sum(waits) / 3600 < 26
    assert record.error is not None
    assert (record.status, record.error.code) == ("failed", "gave_up")
    assert record.error.attempts == len(waits) + 1
    assert "25 hours" in record.error.message
    assert ended(lab, on("a.jpg")) == record
    lab.clock.advance(3600)
    made = ended(lab, CaptionMessage("a.jpg", afresh="1"))
    assert made.status == "captioned"
    assert made.provenance.afresh == "1"


def test_storage_that_fails_puts_the_image_off(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    injector = FaultInjector()
    pipeline = lab.pipeline(catalog=injector.wrap(lab.storage.catalog))
    injector.fail()
    assert pipeline.process(on("a.jpg")) is None
    assert lab.storage.catalog.get("a.jpg") is None
    lab.clock.advance(30)
    [wake] = lab.due()
    assert ended(lab, wake).status == "captioned"


def test_a_message_that_met_failing_storage_is_not_void(lab: PipelineLab) -> None:
    """Its own claim has ended by then; the one that its run took could not be given up."""
    lab.storage.upload("a.jpg", JPEG)
    lab.vision.faults.append(throttled())
    ended(lab, on("a.jpg"))
    lab.clock.advance(10)
    [wake] = lab.due()
    injector = FaultInjector()
    for call in (3, 4):  # get, claim; then the save, and giving the claim up
        injector.fail(call)
    assert lab.pipeline(catalog=injector.wrap(lab.storage.catalog)).process(wake) is None
    assert lab.stored("a.jpg").record.status == "processing"
    lab.clock.advance(30)
    assert ended(lab, *lab.due()).status == "processing"
    lab.clock.advance(AFTER)
    made = ended(lab, *lab.due())
    assert (made.status, made.provenance.reused_from) == ("captioned", None)
    assert made.usage.vision_calls == 3
    assert lab.calls == (2, 1)


@pytest.mark.parametrize("call", [1, 2])
def test_a_queue_that_is_full_leaves_it_to_the_host(lab: PipelineLab, call: int) -> None:
    """The record says deferred; whichever event comes next sends the message that is missing."""
    lab.storage.upload("a.jpg", JPEG)
    lab.vision.faults.append(throttled(retry_after="60"))
    injector = FaultInjector()
    injector.fail(1)
    injector.fail(2)
    with pytest.raises(StorageUnavailable):
        lab.pipeline(queue=injector.wrap(lab.deferrals)).process(on("a.jpg"))
    assert lab.stored("a.jpg").record.status == "deferred"
    assert lab.deferrals.held == []
    lab.clock.advance(call)
    ended(lab, on("a.jpg"))
    lab.clock.advance(90)
    [wake] = lab.due()
    assert ended(lab, wake).status == "captioned"


def test_an_old_records_other_fields_stay_while_it_is_processed(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    made = ended(lab, on("a.jpg"))
    seen: list[CaptionRecord] = []
    lab.vision.on_request = lambda: seen.append(lab.stored("a.jpg").record)
    lab.clock.advance(1)
    ended(lab, CaptionMessage("a.jpg", afresh="1"))
    [during] = seen
    assert during == replace(made, status="processing", claim=during.claim, updated=lab.clock())


class TestAClockThatIsPutBack:
    """By an hour, as the run with the claim is killed: nobody waits for longer than a lease."""

    def crashed_ahead(self, lab: PipelineLab, **crash: Any) -> CaptionRecord:
        """Killed by a clock that is an hour ahead."""
        lab.clock.advance(3600)
        left = crashed(lab, **crash)
        lab.clock.advance(-3600)
        return left

    @pytest.mark.parametrize("at", ["vision", "model"])
    def test_the_image_is_captioned_after_a_lease(self, lab: PipelineLab, at: str) -> None:
        lab.storage.upload("a.jpg", JPEG)
        self.crashed_ahead(lab, at=at)
        assert ended(lab, on("a.jpg")).status == "processing"
        [message] = lab.deferrals.held
        assert message.due == lab.clock() + LEASE + timedelta(seconds=1)
        lab.clock.advance(AFTER)
        [wake] = lab.due()
        assert ended(lab, wake).status == "captioned"
        assert lab.calls == ((2, 1) if at == "vision" else (1, 2))
        assert lab.deferrals.held == []

    def test_only_the_message_that_has_waited_takes_it(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        self.crashed_ahead(lab)
        ended(lab, on("a.jpg"))
        lab.clock.advance(AFTER)
        assert ended(lab, on("a.jpg")).status == "processing"
        assert lab.calls == (1, 0)

    def test_a_copy_waits_for_a_lease_too(self, lab: PipelineLab) -> None:
        """For the content that the dead run has claimed, before it could save its record."""
        lab.storage.upload("a.jpg", JPEG)
        self.crashed_ahead(lab, at="model")
        lab.storage.upload("b.jpg", JPEG)
        began, wake = lab.clock(), on("b.jpg")
        made = lab.pipeline().process(wake)
        while made and made.status == "deferred":
            assert made.error
            assert made.error.code == "in_progress"
            held = next(one for one in lab.deferrals.held if one.wake.path == "b.jpg")
            lab.deferrals.held.remove(held)
            lab.clock.time = held.due
            made = lab.pipeline().process(held.wake)
        assert made
        assert made.status == "captioned"
        assert LEASE <= lab.clock() - began < 2 * LEASE
        assert lab.calls == (1, 2)

    def test_a_run_that_is_alive_keeps_its_claim(self, lab: PipelineLab) -> None:
        """A process whose clock is right waits for a lease, in which the run ends."""
        lab.storage.upload("a.jpg", JPEG)
        seen: list[CaptionRecord | None] = []

        def looked_at() -> None:
            lab.clock.advance(-3600)
            seen.append(lab.pipeline().process(on("a.jpg")))
            lab.clock.advance(60)
            seen.append(lab.pipeline().process(on("a.jpg")))
            lab.clock.advance(3600)

        lab.model.once(looked_at)
        lab.clock.advance(3600)
        assert ended(lab, on("a.jpg")).status == "captioned"
        assert [record and record.status for record in seen] == ["processing"] * 2
        assert lab.calls == (1, 1)

    def test_a_content_claim_that_ends_too_late_is_renewed(self, lab: PipelineLab) -> None:
        """By a run that goes on: others shall not take it over after a lease."""
        lab.clock.advance(3600)
        wanted = ReuseEntry("ab" * 32, "f", "a.jpg", "run", Claim("run", lab.clock() + LEASE))
        claim = ContentClaim.take(lab.storage.reuse, wanted, lease=LEASE, now=lab.clock)
        lab.clock.advance(-3600)
        claim.renew()
        assert claim.entry.claim
        assert claim.entry.claim.until == lab.clock() + LEASE
