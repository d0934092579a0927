"""Captions asked for again: which images, and what is paid then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from captioning.api.messages import Request
from captioning.api.recaption import RecaptionApi
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord, Status, record_id
from captioning.errors import BadRequest, RecaptionLimitReached
from captioning.maintenance.recaption import Recaption
from captioning.maintenance.recaption_limit import RecaptionLimit
from captioning.maintenance.reprocess import Limits, Round, Selection
from captioning.records import catalog
from captioning.records.edits import edited
from captioning.records.history import reverted
from testing.factories import pictures
from testing.factories.records import minutes, short
from testing.harness.pipeline import LEASE, PipelineLab, on
from testing.services.chat_replies import completion, throttled

URL = "https://app.example/api/recaption"
JPEG = pictures.oriented(1)
NO_ANSWER = completion("{}")
"""The model has nothing to say, and has been paid; asked once more in the same run."""


class NoEstimates:
    """Fails the test that asks for a price."""

    @property
    def basis(self) -> str:
        return pytest.fail("no price should be needed")

    def of(self, _: CaptionRecord) -> float | None:
        return pytest.fail("no price should be needed")


@pytest.fixture
def again(lab: PipelineLab) -> Recaption:
    return Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals)


def redriven(
    lab: PipelineLab, again: Recaption, status: Status, *, dry_run: bool = False
) -> Iterator[CaptionRecord]:
    """Asks for the images with a status, one after the other; their records as they were."""
    found = Round(
        Selection(status),
        Limits(dry_run=dry_run),
        catalog=lab.storage.catalog,
        recaption=again,
        fingerprint="",
        estimates=NoEstimates(),
    )
    return (asked.record for asked in found)


def asked(lab: PipelineLab, again: Recaption, path: str, query: str = "") -> tuple[int, Any]:
    """Status and document of the answer to a request with this path, as the host hands it over."""
    response = RecaptionApi(lab.storage.catalog, again).post(Request(f"{URL}/x{query}", path))
    return response.status, json.loads(response.body)


def processed(lab: PipelineLab, *wakes: CaptionMessage) -> CaptionRecord:
    """The record after these deliveries."""
    pipeline = lab.pipeline()
    for wake in wakes:
        pipeline.process(wake)
    return lab.stored("a.jpg").record


class TestPost:
    @pytest.mark.parametrize("has_record", [True, False])
    @pytest.mark.parametrize("path", ["2026/a b.jpg", "2026%2Fa b.jpg"])
    def test_an_image_is_asked_for_by_its_path(
        self, lab: PipelineLab, again: Recaption, path: str, has_record: bool
    ) -> None:
        """Also one that nothing is known of yet."""
        lab.storage.upload("2026/a b.jpg", JPEG)
        if has_record:
            lab.storage.catalog.save(short("2026/a b.jpg"), None)
        status, document = asked(lab, again, path)
        [wake] = lab.due()
        assert status == 202
        assert wake == CaptionMessage("2026/a b.jpg", afresh=document["afresh"])
        assert document["id"] == record_id("2026/a b.jpg")

    def test_an_image_is_asked_for_by_its_id(self, lab: PipelineLab, again: Recaption) -> None:
        lab.storage.upload("a%2Fb.jpg", JPEG)
        lab.storage.catalog.save(short("a%2Fb.jpg"), None)
        status, document = asked(lab, again, f"sha256:{record_id('a%2Fb.jpg')}")
        assert (status, document["path"]) == (202, "a%2Fb.jpg")
        assert [wake.path for wake in lab.due()] == ["a%2Fb.jpg"]

    def test_requests_that_wait_are_one(self, lab: PipelineLab, again: Recaption) -> None:
        """Whatever people write meanwhile, and whatever becomes of the blob's metadata."""
        lab.storage.upload("a.jpg", JPEG)
        processed(lab, on("a.jpg"))
        ids = {asked(lab, again, "a.jpg")[1]["afresh"] for _ in range(10)}
        stored = lab.stored("a.jpg")
        lab.storage.catalog.save(edited(stored.record, {"caption": "Mila."}, lab.clock()), stored)
        lab.storage.touch("a.jpg", rating="5")
        processed(lab, on("a.jpg"))
        ids |= {asked(lab, again, "a.jpg")[1]["afresh"] for _ in range(10)}
        wakes = lab.due()
        assert (len(ids), len(wakes)) == (1, 20)
        assert processed(lab, *wakes).answered == tuple(ids)
        assert lab.calls == (2, 2)

    def test_requests_that_meet_its_run_are_answered_by_it(
        self, lab: PipelineLab, again: Recaption
    ) -> None:
        """Their messages come back when its claim ends, after yet another request was answered."""
        lab.storage.upload("a.jpg", JPEG)
        processed(lab, on("a.jpg"))
        for _ in range(20):
            asked(lab, again, "a.jpg")
        first, *others = lab.due()
        lab.model.once(lambda: processed(lab, *others[:9]))
        processed(lab, first)
        processed(lab, *others[9:])
        assert lab.calls == (2, 2)
        asked(lab, again, "a.jpg")
        processed(lab, *lab.due())
        lab.clock.advance(LEASE.total_seconds() + 1)
        wakes = lab.due()
        assert [wake.afresh for wake in wakes] == [first.afresh] * 9
        processed(lab, *wakes)
        assert lab.calls == (3, 3)

    @pytest.mark.parametrize("is_failure", [False, True])
    def test_after_a_run_the_next_one_is_another(
        self, lab: PipelineLab, again: Recaption, *, is_failure: bool
    ) -> None:
        """A revert makes none of them a new one; messages of the first that are left do nothing."""
        lab.storage.upload("a.jpg", JPEG)
        processed(lab, on("a.jpg"))
        ids, wakes = [], []
        for _ in range(3):
            ids.append(asked(lab, again, "a.jpg")[1]["afresh"])
            if is_failure:
                lab.model.faults.extend([NO_ANSWER, NO_ANSWER])
            [wake] = lab.due()
            wakes.append(wake)
            processed(lab, wake)
            stored = lab.stored("a.jpg")
            lab.storage.catalog.save(reverted(stored.record, lab.clock()), stored)
        assert len({*ids}) == 3
        before, calls = lab.stored("a.jpg").record, lab.calls
        assert processed(lab, *wakes) == before
        assert lab.calls == calls

    def test_another_upload_is_another_request(self, lab: PipelineLab, again: Recaption) -> None:
        lab.storage.upload("a.jpg", JPEG)
        processed(lab, on("a.jpg"))
        first = asked(lab, again, "a.jpg")[1]["afresh"]
        stored = lab.stored("a.jpg")
        image = replace(stored.record.image, modified=minutes(9))
        lab.storage.catalog.save(replace(stored.record, image=image), stored)
        assert asked(lab, again, "a.jpg")[1]["afresh"] != first

    @pytest.mark.parametrize(
        "path", ["a.jpg", f"sha256:{record_id('a.jpg')}", f"sha256:{record_id('b.jpg')}"]
    )
    def test_without_a_blob_there_is_nothing_to_ask_for(
        self, lab: PipelineLab, again: Recaption, path: str
    ) -> None:
        """A record may be left for a moment, or there was never anything."""
        lab.storage.catalog.save(short("a.jpg"), None)
        status, document = asked(lab, again, path)
        assert (status, document["code"]) == (404, "not_found")
        assert lab.deferrals.held == []

    def test_what_it_does_not_know_is_refused(self, lab: PipelineLab, again: Recaption) -> None:
        lab.storage.upload("a.jpg", JPEG)
        with pytest.raises(BadRequest, match="model") as caught:
            asked(lab, again, "a.jpg", "?model=gpt-9&code=s3cret")
        assert caught.value.reason == "unknown_parameter"
        assert lab.deferrals.held == []


class TestLimit:
    def limited(self, lab: PipelineLab, most: int) -> Recaption:
        state = lab.storage.state
        limit = RecaptionLimit(state, most, lab.clock)
        return Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals, limit)

    def test_an_hour_has_room_for_so_many_images(self, lab: PipelineLab) -> None:
        for number in range(3):
            lab.storage.upload(f"{number}.jpg", JPEG)
            lab.storage.catalog.save(short(f"{number}.jpg", status="captioned"), None)
        again = self.limited(lab, 2)
        lab.clock.advance(1_800.5)
        found = [asked(lab, again, f"{number}.jpg") for number in (0, 1, 0, 2)]
        assert [status for status, _ in found] == [202, 202, 202, 429]
        assert found[-1][1]["code"] == "too_many_requests"
        assert [wake.path for wake in lab.due()] == ["0.jpg", "1.jpg", "0.jpg"]
        response = RecaptionApi(lab.storage.catalog, again).post(Request(f"{URL}/x", "2.jpg"))
        assert 0 < int(response.headers["Retry-After"]) <= 3_600
        lab.clock.advance(int(response.headers["Retry-After"]))
        assert asked(lab, again, "2.jpg")[0] == 202

    def test_none_are_allowed(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        lab.storage.catalog.save(short("a.jpg", status="captioned"), None)
        assert asked(lab, self.limited(lab, 0), "a.jpg")[0] == 429

    def test_what_costs_nothing_is_not_counted(self, lab: PipelineLab) -> None:
        lab.storage.upload("a.jpg", JPEG)
        lab.storage.catalog.save(short("a.jpg", status="failed"), None)
        assert asked(lab, self.limited(lab, 0), "a.jpg")[0] == 202

    def test_instances_count_together(self, lab: PipelineLab) -> None:
        """Four at once, each with a client of its own view of the hour."""
        state = lab.storage.state
        limits = [RecaptionLimit(state, 10, lab.clock) for _ in range(4)]

        def taken(number: int) -> bool:
            try:
                limits[number % 4].take(f"{number:08}")
            except RecaptionLimitReached:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(taken, range(40))) == 10


class TestRedrive:
    @pytest.fixture(autouse=True)
    def _small_pages(self, lab: PipelineLab, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pages of two images, the newest first: failed and captioned, both failed, captioned."""
        monkeypatch.setattr(catalog, "PAGE", 2)
        for number in range(5):
            status: Status = "captioned" if number % 3 == 1 else "failed"
            record = short(f"{number}.jpg", minutes(-number), status=status)
            lab.storage.catalog.save(record, None)

    def test_each_image_with_the_status_is_asked_for(
        self, lab: PipelineLab, again: Recaption
    ) -> None:
        found = [record.path for record in redriven(lab, again, "failed")]
        assert found == ["0.jpg", "2.jpg", "3.jpg"]
        wakes = lab.due()
        assert [wake.path for wake in wakes] == found
        assert {lab.stored(path).record.status for path in found} == {"processing"}
        assert list(redriven(lab, again, "failed")) == []

    def test_a_dry_run_asks_for_none(self, lab: PipelineLab, again: Recaption) -> None:
        found = redriven(lab, again, "captioned", dry_run=True)
        assert [record.path for record in found] == ["1.jpg", "4.jpg"]
        assert lab.deferrals.held == []

    def test_it_goes_no_faster_than_its_reader(self, lab: PipelineLab, again: Recaption) -> None:
        """So that it can be ended at any image, and holds a page at a time."""
        list(islice(redriven(lab, again, "failed"), 2))
        assert [wake.path for wake in lab.due()] == ["0.jpg", "2.jpg"]


class TestWhatIsPaid:
    def test_a_failed_image_is_captioned_with_what_is_known(
        self, lab: PipelineLab, again: Recaption
    ) -> None:
        lab.storage.upload("a.jpg", JPEG)
        lab.model.faults.extend([NO_ANSWER, NO_ANSWER])
        assert processed(lab, on("a.jpg")).status == "failed"
        assert processed(lab, on("a.jpg")).status == "failed"
        assert lab.calls == (1, 2)
        [failed] = redriven(lab, again, "failed")
        [wake] = lab.due()
        made = processed(lab, wake, wake)
        assert made.status == "captioned"
        assert lab.calls == (1, 3)
        assert made.usage.vision_calls == failed.usage.vision_calls == 3
        assert made.usage.input_tokens > failed.usage.input_tokens > 0

    def test_a_captioned_image_is_paid_again_once(self, lab: PipelineLab, again: Recaption) -> None:
        lab.storage.upload("a.jpg", JPEG)
        first = processed(lab, on("a.jpg"))
        assert list(redriven(lab, again, "captioned")) == [first]
        [wake] = lab.due()
        lab.clock.advance(60)
        made = processed(lab, wake, wake, on("a.jpg"))
        assert lab.calls == (2, 2)
        assert made.status == "captioned"
        assert made.provenance.afresh == wake.afresh
        assert (made.created, made.updated) == (first.created, lab.clock())

    def test_an_image_that_waits_is_tried_at_once_and_paid_once(
        self, lab: PipelineLab, again: Recaption
    ) -> None:
        lab.storage.upload("a.jpg", JPEG)
        lab.vision.faults.append(throttled(retry_after="60"))
        assert processed(lab, on("a.jpg")).status == "deferred"
        [_] = redriven(lab, again, "deferred")
        [wake] = lab.due()
        assert processed(lab, wake).status == "captioned"
        lab.clock.advance(90)
        [of_the_wait] = lab.due()
        assert processed(lab, of_the_wait).status == "captioned"
        assert lab.calls == (2, 1)

    @pytest.mark.parametrize("status", ["failed", "captioned"])
    def test_copies_are_paid_for_once(
        self, lab: PipelineLab, again: Recaption, status: Status
    ) -> None:
        if status == "failed":
            lab.model.faults.extend([NO_ANSWER] * 6)
        for path in ("a.jpg", "b.jpg", "c.jpg"):
            lab.storage.upload(path, JPEG)
            lab.pipeline().process(on(path))
        vision, model = lab.calls
        assert len(list(redriven(lab, again, status))) == 3
        processed(lab, *lab.due())
        assert lab.calls == (vision + (status == "captioned"), model + 1)
        assert list(redriven(lab, again, "failed")) == []

    def test_its_copies_keep_what_they_have(self, lab: PipelineLab, again: Recaption) -> None:
        """A later copy gets the new answer, at no cost."""
        for path in ("a.jpg", "copy.jpg"):
            lab.storage.upload(path, JPEG)
            lab.pipeline().process(on(path))
        before = lab.stored("copy.jpg")
        asked(lab, again, "a.jpg")
        processed(lab, *lab.due())
        assert lab.stored("copy.jpg") == before
        lab.storage.upload("later.jpg", JPEG)
        made = lab.pipeline().process(on("later.jpg"))
        assert made is not None
        assert (made.provenance.reused_from, made.usage.usd) == ("a.jpg", 0.0)
        assert lab.calls == (2, 2)

    @pytest.mark.parametrize("status", ["failed", "deferred"])
    def test_asking_twice_pays_once(
        self, lab: PipelineLab, again: Recaption, status: Status
    ) -> None:
        lab.storage.upload("a.jpg", JPEG)
        late = throttled(retry_after="60")
        lab.model.faults.extend([NO_ANSWER] * 2 if status == "failed" else [late])
        processed(lab, on("a.jpg"))
        vision, model = lab.calls
        list(redriven(lab, again, status))
        list(redriven(lab, again, status))
        assert processed(lab, *lab.due()).status == "captioned"
        lab.clock.advance(90)
        assert processed(lab, *lab.due()).status == "captioned"
        assert lab.calls == (vision, model + 1)

    def test_a_failed_copy_of_a_known_image_costs_nothing(
        self, lab: PipelineLab, again: Recaption
    ) -> None:
        for path in ("a.jpg", "b.jpg"):
            lab.storage.upload(path, JPEG)
        lab.pipeline().process(on("b.jpg"))
        lab.cleanup.poisoned("a.jpg")
        [_] = redriven(lab, again, "failed")
        made = processed(lab, *lab.due())
        assert (made.status, made.provenance.reused_from) == ("captioned", "b.jpg")
        assert lab.calls == (1, 1)
