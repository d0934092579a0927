"""One content is paid for once, whichever blobs hold it and whatever happens on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from captioning.budget.ledger import Tally
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionInput, CaptionRecord
from captioning.domain.usage import NOTHING
from captioning.pipeline.pipeline import CaptionPipeline
from testing.factories import pictures
from testing.factories.records import START
from testing.fakes.faults import FaultInjector
from testing.harness.pipeline import LEASE, PipelineLab, on
from testing.services.chat_replies import filtered_prompt, throttled

JPEG = pictures.oriented(1)
OTHER = pictures.oriented(6)


def made(
    lab: PipelineLab, wake: CaptionMessage | str, pipeline: CaptionPipeline | None = None
) -> CaptionRecord:
    """The record that a delivery leaves."""
    record = (pipeline or lab.pipeline()).process(on(wake) if isinstance(wake, str) else wake)
    assert record is not None
    assert lab.stored(record.path).record == record
    return record


def throttle_the_second(lab: PipelineLab) -> None:
    """The second request to Vision is one too many."""
    requests = iter(range(100))

    def second() -> None:
        if next(requests) == 0:
            lab.vision.faults.append(throttled())

    lab.vision.on_request = second


def spent(lab: PipelineLab) -> Tally:
    """What the ledger holds, over all days and workers."""
    return sum(lab.usage.held.values(), Tally())


@pytest.mark.parametrize("caption_input", ["image+tags", "image", "tags"])
def test_a_copy_costs_nothing_and_says_so(lab: PipelineLab, caption_input: CaptionInput) -> None:
    for path in ("a.jpg", "copy of a.jpg"):
        lab.storage.upload(path, JPEG)
    pipeline = lab.pipeline(caption_input)
    first, copy = made(lab, "a.jpg", pipeline), made(lab, "copy of a.jpg", pipeline)
    assert lab.calls == (1, 1)
    assert (copy.status, copy.caption, copy.tags) == ("captioned", first.caption, first.tags)
    assert copy.objects == first.objects
    assert (first.provenance.reused_from, copy.provenance.reused_from) == (None, "a.jpg")
    assert copy.provenance.model == first.provenance.model
    assert copy.usage == NOTHING
    tally = spent(lab)
    assert (tally.images, tally.captioned, tally.reused) == (2, 2, 1)
    assert first.usage.usd is not None
    assert tally.usd == tally.saved_usd == pytest.approx(first.usage.usd)


def test_the_same_bytes_again_cost_nothing(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    first = made(lab, "a.jpg")
    again = lab.storage.upload("a.jpg", JPEG)
    second = made(lab, "a.jpg")
    assert lab.calls == (1, 1)
    assert second.image.etag == again.etag != first.image.etag
    assert second == replace(first, image=second.image)


def test_other_settings_are_paid_for(lab: PipelineLab) -> None:
    for path in ("a.jpg", "b.jpg"):
        lab.storage.upload(path, JPEG)
    made(lab, "a.jpg")
    other = made(lab, "b.jpg", lab.pipeline("image"))
    assert lab.calls == (2, 2)
    assert other.provenance.reused_from is None


def test_two_that_arrive_together_pay_once(lab: PipelineLab) -> None:
    for path in ("a.jpg", "b.jpg"):
        lab.storage.upload(path, JPEG)
    twins = []
    lab.vision.once(lambda: twins.append(made(lab, "b.jpg")))
    first = made(lab, "a.jpg")
    [twin] = twins
    assert twin.error is not None
    assert (twin.status, twin.error.code) == ("deferred", "in_progress")
    assert "a.jpg" in twin.error.message
    lab.clock.advance(2)
    [wake] = lab.due()
    late = made(lab, wake)
    assert (late.caption, late.provenance.reused_from) == (first.caption, "a.jpg")
    assert lab.calls == (1, 1)


def test_a_twin_goes_on_where_the_first_had_to_wait(lab: PipelineLab) -> None:
    for path in ("a.jpg", "b.jpg"):
        lab.storage.upload(path, JPEG)
    lab.model.faults.append(throttled())
    assert made(lab, "a.jpg").status == "deferred"
    twin = made(lab, "b.jpg")
    assert twin.status == "captioned"
    assert lab.calls == (1, 2)
    lab.clock.advance(60)
    first = made(lab, lab.due()[0])
    assert (first.caption, first.provenance.reused_from) == (twin.caption, "b.jpg")
    assert lab.calls == (1, 2)
    assert spent(lab).vision_calls == lab.local_vision.billed == 3


def test_a_refusal_is_known_for_the_copies_too(lab: PipelineLab) -> None:
    for path in ("a.jpg", "b.jpg"):
        lab.storage.upload(path, JPEG)
    lab.chat_service.script.append(filtered_prompt())
    first, copy = made(lab, "a.jpg"), made(lab, "b.jpg")
    assert lab.calls == (1, 1)
    assert first.error is not None
    assert copy.error is not None
    assert (copy.status, copy.error.code) == ("rejected", "content_filtered")
    assert copy.error.message == first.error.message
    assert (first.usage.vision_calls, copy.usage) == (3, NOTHING)


def test_nonsense_is_not_remembered_but_the_analysis_is(lab: PipelineLab) -> None:
    for path in ("a.jpg", "b.jpg"):
        lab.storage.upload(path, JPEG)
    lab.chat_service.script.extend(["nonsense", "more nonsense"])
    first, copy = made(lab, "a.jpg"), made(lab, "b.jpg")
    assert (first.status, copy.status) == ("failed", "captioned")
    assert lab.calls == (1, 3)
    assert first.usage.input_tokens > 2 * 2_833
    assert copy.provenance.reused_from is None


def test_afresh_pays_again_once(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    made(lab, "a.jpg")
    wake = CaptionMessage("a.jpg", afresh="request 1")
    again = made(lab, wake)
    assert lab.calls == (2, 2)
    assert (again.provenance.afresh, again.provenance.reused_from) == ("request 1", None)
    assert made(lab, wake) == again
    assert lab.calls == (2, 2)


def test_afresh_goes_on_with_what_a_failure_left(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.chat_service.script.extend(["nonsense", "more nonsense"])
    made(lab, "a.jpg")
    assert made(lab, CaptionMessage("a.jpg", afresh="request 1")).status == "captioned"
    assert lab.calls == (1, 3)


def test_a_slow_run_keeps_its_claim(lab: PipelineLab) -> None:
    """Renewed before each call, so that it holds for as long as the call may take."""
    for path in ("a.jpg", "b.jpg"):
        lab.storage.upload(path, JPEG)
    twins = []
    most = LEASE.total_seconds() * 0.9
    lab.vision.once(lambda: lab.clock.advance(most))

    def still_claimed() -> None:
        lab.clock.advance(most)
        twins.append(made(lab, "b.jpg"))

    lab.model.once(still_claimed)
    assert made(lab, "a.jpg").status == "captioned"
    assert twins[0].status == "deferred"
    assert lab.calls == (1, 1)


def test_a_run_that_lost_its_claim_asks_no_further(lab: PipelineLab) -> None:
    for path in ("a.jpg", "b.jpg"):
        lab.storage.upload(path, JPEG)
    twins = []

    def overtaken() -> None:
        lab.clock.advance(LEASE.total_seconds() + 1)
        twins.append(made(lab, "b.jpg"))

    lab.vision.once(overtaken)
    late = made(lab, "a.jpg")
    assert twins[0].status == "captioned"
    assert late.error is not None
    assert (late.status, late.error.code) == ("deferred", "in_progress")
    assert lab.calls == (2, 1)
    lab.clock.advance(60)
    assert made(lab, lab.due()[0]).provenance.reused_from == "b.jpg"
    assert lab.calls == (2, 1)
    assert spent(lab).vision_calls == lab.local_vision.billed == 6


@pytest.mark.parametrize(
    ("features", "api", "requests"),
    [(("tags", "objects", "brands"), "4.0", (3, 1)), (("tags", "read"), "3.2", (5, 1))],
)
def test_part_of_an_analysis_is_not_paid_again(
    lab: PipelineLab, features: tuple[str, ...], api: str, requests: tuple[int, int]
) -> None:
    """4.0 answered and 3.2 did not; the text was submitted and the tags were throttled."""
    lab.storage.upload("a.jpg", JPEG)
    analyzer = lab.analyzer(api=api, features=features, sleep=lab.clock.advance)
    throttle_the_second(lab)
    assert made(lab, "a.jpg", lab.pipeline(analyzer=analyzer)).status == "deferred"
    lab.clock.advance(60)
    record = made(lab, lab.due()[0], lab.pipeline(analyzer=analyzer))
    assert record.status == "captioned"
    assert lab.calls == requests
    assert record.usage.vision_calls == lab.local_vision.billed == len(features)
    assert spent(lab).vision_calls == len(features)


def test_a_caption_that_cannot_be_shared_is_kept_all_the_same(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    injector = FaultInjector()
    lab.model.once(injector.fail)
    record = made(lab, "a.jpg", lab.pipeline(store=injector.wrap(lab.storage.reuse)))
    assert record.status == "captioned"
    assert record.usage.vision_calls == 3
    assert record.usage.input_tokens > 0


def test_a_spent_budget_defers_until_the_day_turns(lab: PipelineLab) -> None:
    for path, data in (("a.jpg", JPEG), ("b.jpg", OTHER), ("c.jpg", JPEG)):
        lab.storage.upload(path, data)
    pipeline = lab.pipeline(budget=0.004)
    assert made(lab, "a.jpg", pipeline).status == "captioned"
    late = made(lab, "b.jpg", pipeline)
    assert late.error is not None
    assert (late.status, late.error.code) == ("deferred", "budget")
    assert made(lab, "c.jpg", pipeline).status == "captioned"  # it costs nothing
    assert lab.calls == (1, 1)
    while late.status == "deferred":
        assert lab.clock() < START + timedelta(hours=17)
        lab.clock.advance(600)
        for wake in lab.due():
            late = made(lab, wake, pipeline)
    assert lab.clock() >= START + timedelta(hours=14)
    assert late.error is None
