"""One content is paid for once, whichever blobs hold it and whatever happens on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from captioning.budget.ledger import Tally
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionInput, CaptionRecord
from captioning.domain.usage import NOTHING
from captioning.pipeline.pipeline import CaptionPipeline
from testing.factories import pictures
from testing.factories.records import START
from testing.fakes.faults import Line
from testing.harness.pipeline import LEASE, Works, on
from testing.services.chat_replies import filtered_prompt, throttled

JPEG = pictures.oriented(1)
OTHER = pictures.oriented(6)


def made(
    works: Works, wake: CaptionMessage | str, pipeline: CaptionPipeline | None = None
) -> CaptionRecord:
    """The record that a delivery leaves."""
    record = (pipeline or works.pipeline()).process(on(wake) if isinstance(wake, str) else wake)
    assert record is not None
    assert works.stored(record.path).record == record
    return record


def throttle_the_second(works: Works) -> None:
    """The second request to Vision is one too many."""
    requests = iter(range(100))

    def second() -> None:
        if next(requests) == 0:
            works.vision.faults.append(throttled())

    works.vision.on_request = second


def spent(works: Works) -> Tally:
    """What the ledger holds, over all days and workers."""
    return sum(works.usage.held.values(), Tally())


@pytest.mark.parametrize("caption_input", ["image+tags", "image", "tags"])
def test_a_copy_costs_nothing_and_says_so(works: Works, caption_input: CaptionInput) -> None:
    for path in ("a.jpg", "copy of a.jpg"):
        works.storage.upload(path, JPEG)
    pipeline = works.pipeline(caption_input)
    first, copy = made(works, "a.jpg", pipeline), made(works, "copy of a.jpg", pipeline)
    assert works.calls == (1, 1)
    assert (copy.status, copy.caption, copy.tags) == ("captioned", first.caption, first.tags)
    assert copy.objects == first.objects
    assert (first.provenance.reused_from, copy.provenance.reused_from) == (None, "a.jpg")
    assert copy.provenance.model == first.provenance.model
    assert copy.usage == NOTHING
    tally = spent(works)
    assert (tally.images, tally.captioned, tally.reused) == (2, 2, 1)
    assert first.usage.usd is not None
    assert tally.usd == tally.saved_usd == pytest.approx(first.usage.usd)


def test_the_same_bytes_again_cost_nothing(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    first = made(works, "a.jpg")
    again = works.storage.upload("a.jpg", JPEG)
    second = made(works, "a.jpg")
    assert works.calls == (1, 1)
    assert second.image.etag == again.etag != first.image.etag
    assert (second.caption, second.provenance.reused_from) == (first.caption, "a.jpg")


def test_other_settings_are_paid_for(works: Works) -> None:
    for path in ("a.jpg", "b.jpg"):
        works.storage.upload(path, JPEG)
    made(works, "a.jpg")
    other = made(works, "b.jpg", works.pipeline("image"))
    assert works.calls == (2, 2)
    assert other.provenance.reused_from is None


def test_two_that_arrive_together_pay_once(works: Works) -> None:
    for path in ("a.jpg", "b.jpg"):
        works.storage.upload(path, JPEG)
    twins = []
    works.vision.once(lambda: twins.append(made(works, "b.jpg")))
    first = made(works, "a.jpg")
    [twin] = twins
    assert twin.error is not None
    assert (twin.status, twin.error.code) == ("deferred", "in_progress")
    assert "a.jpg" in twin.error.message
    works.clock.advance(2)
    [wake] = works.due()
    late = made(works, wake)
    assert (late.caption, late.provenance.reused_from) == (first.caption, "a.jpg")
    assert works.calls == (1, 1)


def test_a_twin_goes_on_where_the_first_had_to_wait(works: Works) -> None:
    for path in ("a.jpg", "b.jpg"):
        works.storage.upload(path, JPEG)
    works.model.faults.append(throttled())
    assert made(works, "a.jpg").status == "deferred"
    twin = made(works, "b.jpg")
    assert twin.status == "captioned"
    assert works.calls == (1, 2)
    works.clock.advance(60)
    first = made(works, works.due()[0])
    assert (first.caption, first.provenance.reused_from) == (twin.caption, "b.jpg")
    assert works.calls == (1, 2)
    assert spent(works).vision_calls == works.local_vision.billed == 3


def test_a_refusal_is_known_for_the_copies_too(works: Works) -> None:
    for path in ("a.jpg", "b.jpg"):
        works.storage.upload(path, JPEG)
    works.chat_service.script.append(filtered_prompt())
    first, copy = made(works, "a.jpg"), made(works, "b.jpg")
    assert works.calls == (1, 1)
    assert first.error is not None
    assert copy.error is not None
    assert (copy.status, copy.error.code) == ("rejected", "content_filtered")
    assert copy.error.message == first.error.message
    assert (first.usage.vision_calls, copy.usage) == (3, NOTHING)


def test_nonsense_is_not_remembered_but_the_analysis_is(works: Works) -> None:
    for path in ("a.jpg", "b.jpg"):
        works.storage.upload(path, JPEG)
    works.chat_service.script.extend(["nonsense", "more nonsense"])
    first, copy = made(works, "a.jpg"), made(works, "b.jpg")
    assert (first.status, copy.status) == ("failed", "captioned")
    assert works.calls == (1, 3)
    assert first.usage.input_tokens > 2 * 2_833
    assert copy.provenance.reused_from is None


def test_afresh_pays_again_once(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    made(works, "a.jpg")
    wake = CaptionMessage("a.jpg", afresh="request 1")
    again = made(works, wake)
    assert works.calls == (2, 2)
    assert (again.provenance.afresh, again.provenance.reused_from) == ("request 1", None)
    assert made(works, wake) == again
    assert works.calls == (2, 2)


def test_afresh_goes_on_with_what_a_failure_left(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    works.chat_service.script.extend(["nonsense", "more nonsense"])
    made(works, "a.jpg")
    assert made(works, CaptionMessage("a.jpg", afresh="request 1")).status == "captioned"
    assert works.calls == (1, 3)


def test_a_slow_run_keeps_its_claim(works: Works) -> None:
    """Renewed before each call, so that it holds for as long as the call may take."""
    for path in ("a.jpg", "b.jpg"):
        works.storage.upload(path, JPEG)
    twins = []
    most = LEASE.total_seconds() * 0.9
    works.vision.once(lambda: works.clock.advance(most))

    def still_claimed() -> None:
        works.clock.advance(most)
        twins.append(made(works, "b.jpg"))

    works.model.once(still_claimed)
    assert made(works, "a.jpg").status == "captioned"
    assert twins[0].status == "deferred"
    assert works.calls == (1, 1)


def test_a_run_that_lost_its_claim_asks_no_further(works: Works) -> None:
    for path in ("a.jpg", "b.jpg"):
        works.storage.upload(path, JPEG)
    twins = []

    def overtaken() -> None:
        works.clock.advance(LEASE.total_seconds() + 1)
        twins.append(made(works, "b.jpg"))

    works.vision.once(overtaken)
    late = made(works, "a.jpg")
    assert twins[0].status == "captioned"
    assert late.error is not None
    assert (late.status, late.error.code) == ("deferred", "in_progress")
    assert works.calls == (2, 1)
    works.clock.advance(60)
    assert made(works, works.due()[0]).provenance.reused_from == "b.jpg"
    assert works.calls == (2, 1)
    assert spent(works).vision_calls == works.local_vision.billed == 6


@pytest.mark.parametrize(
    ("features", "api", "requests"),
    [(("tags", "objects", "brands"), "4.0", (3, 1)), (("tags", "read"), "3.2", (5, 1))],
)
def test_part_of_an_analysis_is_not_paid_again(
    works: Works, features: tuple[str, ...], api: str, requests: tuple[int, int]
) -> None:
    """4.0 answered and 3.2 did not; the text was submitted and the tags were throttled."""
    works.storage.upload("a.jpg", JPEG)
    analyzer = works.analyzer(api=api, features=features, sleep=works.clock.advance)
    throttle_the_second(works)
    assert made(works, "a.jpg", works.pipeline(analyzer=analyzer)).status == "deferred"
    works.clock.advance(60)
    record = made(works, works.due()[0], works.pipeline(analyzer=analyzer))
    assert record.status == "captioned"
    assert works.calls == requests
    assert record.usage.vision_calls == works.local_vision.billed == len(features)
    assert spent(works).vision_calls == len(features)


def test_a_caption_that_cannot_be_shared_is_kept_all_the_same(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    line = Line()
    works.model.once(line.fail)
    record = made(works, "a.jpg", works.pipeline(store=line.to(works.storage.reuse)))
    assert record.status == "captioned"
    assert record.usage.vision_calls == 3
    assert record.usage.input_tokens > 0


def test_a_spent_budget_defers_until_the_day_turns(works: Works) -> None:
    for path, data in (("a.jpg", JPEG), ("b.jpg", OTHER), ("c.jpg", JPEG)):
        works.storage.upload(path, data)
    pipeline = works.pipeline(budget=0.004)
    assert made(works, "a.jpg", pipeline).status == "captioned"
    late = made(works, "b.jpg", pipeline)
    assert late.error is not None
    assert (late.status, late.error.code) == ("deferred", "budget")
    assert made(works, "c.jpg", pipeline).status == "captioned"  # it costs nothing
    assert works.calls == (1, 1)
    while late.status == "deferred":
        assert works.clock() < START + timedelta(hours=17)
        works.clock.advance(600)
        for wake in works.due():
            late = made(works, wake, pipeline)
    assert works.clock() >= START + timedelta(hours=14)
    assert late.error is None
