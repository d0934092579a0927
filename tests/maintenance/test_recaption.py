"""Captions asked for again: which images, and what is paid then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from captioning.api.messages import Request
from captioning.api.recaption import RecaptionApi
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord, Status, record_id
from captioning.errors import BadRequest
from captioning.maintenance import reprocess
from captioning.maintenance.recaption import Recaption
from captioning.maintenance.reprocess import Limits, Round, Selection
from testing.factories import pictures
from testing.factories.records import minutes, short
from testing.fakes.stores import MemoryState
from testing.harness.pipeline import Works, on
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
def again(works: Works) -> Recaption:
    return Recaption(works.storage.images, works.storage.catalog, works.deferrals)


def redriven(
    works: Works, again: Recaption, status: Status, *, dry_run: bool = False
) -> Iterator[CaptionRecord]:
    """Asks for the images with a status, one after the other; their records as they were."""
    found = Round(
        Selection(status),
        Limits(dry_run=dry_run),
        catalog=works.storage.catalog,
        recaption=again,
        state=MemoryState(),
        fingerprint="",
        estimates=NoEstimates(),
    )
    return (asked.record for asked in found)


def asked(works: Works, again: Recaption, path: str, query: str = "") -> tuple[int, Any]:
    """Status and document of the answer to a request with this path, as the host hands it over."""
    response = RecaptionApi(works.storage.catalog, again).post(Request(f"{URL}/x{query}", path))
    return response.status, json.loads(response.body)


def processed(works: Works, *wakes: CaptionMessage) -> CaptionRecord:
    """The record after these deliveries."""
    pipeline = works.pipeline()
    for wake in wakes:
        pipeline.process(wake)
    return works.stored("a.jpg").record


class TestPost:
    @pytest.mark.parametrize("has_record", [True, False])
    @pytest.mark.parametrize("path", ["2026/a b.jpg", "2026%2Fa b.jpg"])
    def test_an_image_is_asked_for_by_its_path(
        self, works: Works, again: Recaption, path: str, has_record: bool
    ) -> None:
        """Also one that nothing is known of yet."""
        works.storage.upload("2026/a b.jpg", JPEG)
        if has_record:
            works.storage.catalog.save(short("2026/a b.jpg"), None)
        status, document = asked(works, again, path)
        [wake] = works.due()
        assert status == 202
        assert wake == CaptionMessage("2026/a b.jpg", afresh=document["afresh"])
        assert document["id"] == record_id("2026/a b.jpg")

    def test_an_image_is_asked_for_by_its_id(self, works: Works, again: Recaption) -> None:
        works.storage.upload("a%2Fb.jpg", JPEG)
        works.storage.catalog.save(short("a%2Fb.jpg"), None)
        status, document = asked(works, again, f"sha256:{record_id('a%2Fb.jpg')}")
        assert (status, document["path"]) == (202, "a%2Fb.jpg")
        assert [wake.path for wake in works.due()] == ["a%2Fb.jpg"]

    def test_each_request_has_an_id_of_its_own(self, works: Works, again: Recaption) -> None:
        works.storage.upload("a.jpg", JPEG)
        processed(works, on("a.jpg"))
        ids = {asked(works, again, "a.jpg")[1]["afresh"] for _ in range(3)}
        assert {wake.afresh for wake in works.due()} == ids
        assert len(ids) == 3

    @pytest.mark.parametrize(
        "path", ["a.jpg", f"sha256:{record_id('a.jpg')}", f"sha256:{record_id('b.jpg')}"]
    )
    def test_without_a_blob_there_is_nothing_to_ask_for(
        self, works: Works, again: Recaption, path: str
    ) -> None:
        """A record may be left for a moment, or there was never anything."""
        works.storage.catalog.save(short("a.jpg"), None)
        status, document = asked(works, again, path)
        assert (status, document["code"]) == (404, "not_found")
        assert works.deferrals.held == []

    def test_what_it_does_not_know_is_refused(self, works: Works, again: Recaption) -> None:
        works.storage.upload("a.jpg", JPEG)
        with pytest.raises(BadRequest, match="model") as caught:
            asked(works, again, "a.jpg", "?model=gpt-9&code=s3cret")
        assert caught.value.reason == "unknown_parameter"
        assert works.deferrals.held == []


class TestRedrive:
    @pytest.fixture(autouse=True)
    def _small_pages(self, works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
        """Pages of two images, the newest first: failed and captioned, both failed, captioned."""
        monkeypatch.setattr(reprocess, "PAGE", 2)
        for number in range(5):
            status: Status = "captioned" if number % 3 == 1 else "failed"
            record = short(f"{number}.jpg", minutes(-number), status=status)
            works.storage.catalog.save(record, None)

    def test_each_image_with_the_status_is_asked_for(self, works: Works, again: Recaption) -> None:
        found = [record.path for record in redriven(works, again, "failed")]
        assert found == ["0.jpg", "2.jpg", "3.jpg"]
        wakes = works.due()
        assert [wake.path for wake in wakes] == found
        assert {works.stored(path).record.status for path in found} == {"processing"}
        assert list(redriven(works, again, "failed")) == []

    def test_a_dry_run_asks_for_none(self, works: Works, again: Recaption) -> None:
        found = redriven(works, again, "captioned", dry_run=True)
        assert [record.path for record in found] == ["1.jpg", "4.jpg"]
        assert works.deferrals.held == []

    def test_it_goes_no_faster_than_its_reader(self, works: Works, again: Recaption) -> None:
        """So that it can be ended at any image, and holds a page at a time."""
        list(islice(redriven(works, again, "failed"), 2))
        assert [wake.path for wake in works.due()] == ["0.jpg", "2.jpg"]


class TestWhatIsPaid:
    def test_a_failed_image_is_captioned_with_what_is_known(
        self, works: Works, again: Recaption
    ) -> None:
        works.storage.upload("a.jpg", JPEG)
        works.model.faults.extend([NO_ANSWER, NO_ANSWER])
        assert processed(works, on("a.jpg")).status == "failed"
        assert processed(works, on("a.jpg")).status == "failed"
        assert works.calls == (1, 2)
        [failed] = redriven(works, again, "failed")
        [wake] = works.due()
        made = processed(works, wake, wake)
        assert made.status == "captioned"
        assert works.calls == (1, 3)
        assert made.usage.vision_calls == failed.usage.vision_calls == 3
        assert made.usage.input_tokens > failed.usage.input_tokens > 0

    def test_a_captioned_image_is_paid_again_once(self, works: Works, again: Recaption) -> None:
        works.storage.upload("a.jpg", JPEG)
        first = processed(works, on("a.jpg"))
        assert list(redriven(works, again, "captioned")) == [first]
        [wake] = works.due()
        works.clock.advance(60)
        made = processed(works, wake, wake, on("a.jpg"))
        assert works.calls == (2, 2)
        assert made.status == "captioned"
        assert made.provenance.afresh == wake.afresh
        assert (made.created, made.updated) == (first.created, works.clock())

    def test_an_image_that_waits_is_tried_at_once_and_paid_once(
        self, works: Works, again: Recaption
    ) -> None:
        works.storage.upload("a.jpg", JPEG)
        works.vision.faults.append(throttled(retry_after="60"))
        assert processed(works, on("a.jpg")).status == "deferred"
        [_] = redriven(works, again, "deferred")
        [wake] = works.due()
        assert processed(works, wake).status == "captioned"
        works.clock.advance(90)
        [of_the_wait] = works.due()
        assert processed(works, of_the_wait).status == "captioned"
        assert works.calls == (2, 1)

    @pytest.mark.parametrize("status", ["failed", "captioned"])
    def test_copies_are_paid_for_once(self, works: Works, again: Recaption, status: Status) -> None:
        if status == "failed":
            works.model.faults.extend([NO_ANSWER] * 6)
        for path in ("a.jpg", "b.jpg", "c.jpg"):
            works.storage.upload(path, JPEG)
            works.pipeline().process(on(path))
        vision, model = works.calls
        assert len(list(redriven(works, again, status))) == 3
        processed(works, *works.due())
        assert works.calls == (vision + (status == "captioned"), model + 1)
        assert list(redriven(works, again, "failed")) == []

    def test_its_copies_keep_what_they_have(self, works: Works, again: Recaption) -> None:
        """A later copy gets the new answer, at no cost."""
        for path in ("a.jpg", "copy.jpg"):
            works.storage.upload(path, JPEG)
            works.pipeline().process(on(path))
        before = works.stored("copy.jpg")
        asked(works, again, "a.jpg")
        processed(works, *works.due())
        assert works.stored("copy.jpg") == before
        works.storage.upload("later.jpg", JPEG)
        made = works.pipeline().process(on("later.jpg"))
        assert made is not None
        assert (made.provenance.reused_from, made.usage.usd) == ("a.jpg", 0.0)
        assert works.calls == (2, 2)

    @pytest.mark.parametrize("status", ["failed", "deferred"])
    def test_asking_twice_pays_once(self, works: Works, again: Recaption, status: Status) -> None:
        works.storage.upload("a.jpg", JPEG)
        late = throttled(retry_after="60")
        works.model.faults.extend([NO_ANSWER] * 2 if status == "failed" else [late])
        processed(works, on("a.jpg"))
        vision, model = works.calls
        list(redriven(works, again, status))
        list(redriven(works, again, status))
        assert processed(works, *works.due()).status == "captioned"
        works.clock.advance(90)
        assert processed(works, *works.due()).status == "captioned"
        assert works.calls == (vision, model + 1)

    def test_a_failed_copy_of_a_known_image_costs_nothing(
        self, works: Works, again: Recaption
    ) -> None:
        for path in ("a.jpg", "b.jpg"):
            works.storage.upload(path, JPEG)
        works.pipeline().process(on("b.jpg"))
        works.upkeep.poisoned("a.jpg")
        [_] = redriven(works, again, "failed")
        made = processed(works, *works.due())
        assert (made.status, made.provenance.reused_from) == ("captioned", "b.jpg")
        assert works.calls == (1, 1)
