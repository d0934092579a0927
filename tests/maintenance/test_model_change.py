"""A model is changed: what becomes of records that the old one made, story by story."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest

from captioning.api.edits import EditApi, _Body
from captioning.api.messages import Request
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.maintenance.recaption import Recaption
from captioning.maintenance.reprocess import Limits, Round, Selection
from captioning.pipeline.pipeline import CaptionPipeline
from captioning.records.history import texts_in
from captioning.search.query import parse
from testing.factories import pictures
from testing.fakes.stores import MemoryState
from testing.harness.pipeline import LEASE, Works, on
from testing.services.chat_replies import completion, filtered_output, throttled
from testing.services.vision_scene import Scene

JPEG = pictures.oriented(1)
OLD, NEW = ("en", "de"), ("en", "fr")
"""Languages of the captions: settings that differ have fingerprints that do."""
WORDS = {
    "caption": "Something new.",
    "alt_text": "New to the reader.",
    "description": "All of it is new.",
}
ANSWER, ANSWER_OLD = (
    completion(json.dumps({"decorative": False, "texts": dict.fromkeys(languages, WORDS)}))
    for languages in (NEW, OLD)
)
NO_ANSWER = completion("{}")
EDITS: dict[str, Any] = {
    "caption": "Mila, 3.",
    "alt_text": "Mila.",
    "decorative": True,
    "tags": ["Mila"],
    "review": "done",
}


@pytest.fixture(autouse=True)
def _no_text(works: Works) -> None:
    """No text in the pictures, which a caption would have to tell."""
    works.local_vision.scene = lambda _: Scene(text=())


@lru_cache(2)
def app(works: Works, languages: tuple[str, ...]) -> CaptionPipeline:
    """A process with these settings; it takes a while to make."""
    return works.pipeline(captioner=works.captioner(languages=languages))


def run(works: Works, wake: CaptionMessage | None = None, languages: Any = NEW) -> CaptionRecord:
    """The record after a delivery to an app with these settings."""
    app(works, languages).process(wake or on("a.jpg"))
    return works.stored("a.jpg").record


def old(works: Works) -> CaptionRecord:
    """The record of an image that the old settings have captioned; an hour ago."""
    works.storage.upload("a.jpg", JPEG)
    record = run(works, languages=OLD)
    assert record.status == "captioned"
    works.clock.advance(3600)
    return record


def asked(works: Works, *, retry: bool = False) -> list[CaptionMessage]:
    """The messages by which the new settings ask for what is stale."""
    found = Round(
        Selection(stale=True, retry=retry),
        Limits(),
        catalog=works.storage.catalog,
        recaption=Recaption(works.storage.images, works.storage.catalog, works.deferrals),
        state=MemoryState(),
        fingerprint=app(works, NEW)._cache.fingerprint,
        estimates=Free(),
    )
    list(found)
    return works.due()


class Free:
    """Estimates of nothing."""

    basis = "nothing"

    def of(self, _: CaptionRecord) -> float | None:
        return 0.0


def call(works: Works, method: str, **edits: Any) -> CaptionRecord:
    """Somebody edits the record, or reverts it; the record then."""
    api = EditApi(works.storage.catalog, works.clock)
    headers = {"content-type": "application/json", "if-match": "*"}
    request = Request("/x", "a.jpg", headers, json.dumps(edits).encode())
    response = getattr(api, method)(request)
    assert response.status == 200, response.body
    return works.stored("a.jpg").record


def said(record: CaptionRecord) -> dict[str, Any]:
    return texts_in(record.to_json())


def found(works: Works, words: str) -> list[str]:
    """Paths that a search gives."""
    query = parse(f"{words} ", (), ("en",))
    return [record.path for record in works.storage.catalog.walk(query)]


class TestNewText:
    def test_it_takes_the_place_of_the_old_one_which_is_kept(self, works: Works) -> None:
        known = old(works)
        [wake] = asked(works)
        works.model.faults.append(ANSWER)
        record = run(works, wake)
        assert (record.status, record.caption) == ("captioned", "Something new.")
        assert record.previous
        assert record.previous.texts == said(known)
        assert record.previous.usage == known.usage
        assert record.provenance.fingerprint != known.provenance.fingerprint
        assert asked(works) == []

    def test_until_then_the_old_one_is_shown_and_found(self, works: Works) -> None:
        known = old(works)
        seen: list[Any] = []

        def look() -> None:
            record = works.stored("a.jpg").record
            seen.append((record.status, said(record) == said(known), found(works, "stand-in")))

        works.vision.once(look)
        works.model.faults.append(throttled(retry_after="60"))
        record = run(works, asked(works)[0])
        assert seen == [("processing", True, ["a.jpg"])]
        assert (record.status, said(record)) == ("deferred", said(known))
        assert (found(works, "stand-in"), asked(works)) == (["a.jpg"], [])

    def test_asked_twice_it_is_paid_for_once(self, works: Works) -> None:
        """As it may be where a round is killed, and for copies."""
        old(works)
        works.storage.upload("copy.jpg", JPEG)
        app(works, OLD).process(on("copy.jpg"))
        before = works.calls
        wakes = [*asked(works), *asked(works)]
        assert sorted(wake.path for wake in wakes) == ["a.jpg", "a.jpg", "copy.jpg", "copy.jpg"]
        for wake in wakes:
            run(works, wake)
        assert works.calls == (before[0] + 1, before[1] + 1)
        assert works.stored("copy.jpg").record.provenance.fingerprint

    @pytest.mark.parametrize(
        "fields", [["caption", "alt_text", "tags", "review"], ["decorative"]], ids=len
    )
    def test_what_people_wrote_stays(self, works: Works, fields: list[str]) -> None:
        """In every field that they can write into."""
        old(works)
        known = call(works, "patch_caption", **{name: EDITS[name] for name in fields})
        works.model.faults.append(ANSWER)
        record = run(works, asked(works)[0])
        before, after = known.to_json(), record.to_json()
        for name in known.provenance.edited_by_human:
            assert after[name] == before[name], name
        assert record.description == "All of it is new."
        assert (record.caption == "Something new.") == ("caption" not in fields)
        assert record.previous
        assert record.previous.texts == said(known)

    def test_every_field_that_people_write_is_tried_above(self) -> None:
        assert set(EDITS) == set(_Body.model_fields)

    def test_another_caption_on_request_keeps_the_one_before(self, works: Works) -> None:
        known = old(works)
        Recaption(works.storage.images, works.storage.catalog, works.deferrals).request("a.jpg")
        works.model.faults.append(ANSWER_OLD)
        record = run(works, works.due()[0], languages=OLD)
        assert record.previous
        assert record.previous.texts == said(known)


def filtered(works: Works) -> None:
    works.chat_service.script.append(filtered_output())


def nonsense(works: Works) -> None:
    works.model.faults.extend([NO_ANSWER, NO_ANSWER])


class TestARunThatFails:
    """It makes no record worse than it was."""

    @pytest.mark.parametrize(
        ("fault", "code"), [(filtered, "content_filtered"), (nonsense, "bad_response")]
    )
    def test_the_record_is_as_it_was_but_for_the_error(
        self, works: Works, fault: Callable[[Works], None], code: str
    ) -> None:
        known = old(works)
        [wake] = asked(works)
        fault(works)
        record = run(works, wake)
        self.is_as_it_was(record, known, code)
        assert list(works.storage.catalog.walk()) == [record]
        calls = works.calls
        assert run(works, wake) == run(works) == record
        assert asked(works) == []
        assert works.calls == calls

    def test_also_when_it_is_given_up_after_a_day(self, works: Works) -> None:
        known = old(works)
        [wake] = asked(works)
        for hours in (0, 25):
            works.clock.advance(hours * 3600)
            works.model.faults.append(throttled())
            record = run(works, wake if not hours else works.due()[0])
        self.is_as_it_was(record, known, "gave_up")
        assert asked(works) == []
        works.clock.advance(3600)
        works.model.faults.append(ANSWER)
        [again] = asked(works, retry=True)
        assert run(works, again).caption == "Something new."
        assert run(works, again).error is None

    def test_also_when_the_host_gives_it_up(self, works: Works) -> None:
        known = old(works)
        pipeline = works.pipeline("image", inspect=lambda _: pytest.fail("a bug"))
        with pytest.raises(pytest.fail.Exception):
            pipeline.process(asked(works)[0])
        works.clock.advance(LEASE.total_seconds() + 1)
        assert works.upkeep.poisoned("a.jpg")
        self.is_as_it_was(works.stored("a.jpg").record, known, "poisoned")

    def test_a_request_that_failed_is_not_paid_for_by_its_second_message(
        self, works: Works
    ) -> None:
        known = old(works)
        nonsense(works)
        wake = CaptionMessage("a.jpg", afresh="a request")
        record = run(works, wake, languages=OLD)
        self.is_as_it_was(record, known, "bad_response")
        calls = works.calls
        assert run(works, wake, languages=OLD) == record
        assert works.calls == calls

    @staticmethod
    def is_as_it_was(record: CaptionRecord, known: CaptionRecord, code: str) -> None:
        assert (record.status, record.error and record.error.code) == ("captioned", code)
        changed = {"error", "updated", "seconds"}
        before, after = known.to_json(), record.to_json()
        assert {name for name in after if after[name] != before[name]} <= changed


class TestRevert:
    def renewed(self, works: Works) -> CaptionRecord:
        """A record that the new settings have made of an old one."""
        old(works)
        works.model.faults.append(ANSWER)
        return run(works, asked(works)[0])

    def test_it_brings_the_old_text_back_and_that_is_found(self, works: Works) -> None:
        record = self.renewed(works)
        assert (found(works, "stand-in"), found(works, "something")) == ([], ["a.jpg"])
        back = call(works, "post_revert")
        assert record.previous
        assert said(back) == record.previous.texts
        assert (found(works, "stand-in"), found(works, "something")) == (["a.jpg"], [])
        assert said(call(works, "post_revert")) == said(record)

    def test_it_holds(self, works: Works) -> None:
        """No event, no message and no reprocess undoes it; a request for the image does."""
        self.renewed(works)
        back, calls = call(works, "post_revert"), works.calls
        assert run(works) == back
        assert asked(works) == []
        assert works.calls == calls
        works.model.faults.append(ANSWER)
        record = run(works, CaptionMessage("a.jpg", afresh="a request"))
        assert (record.caption, record.provenance.reverted) == ("Something new.", False)
        assert record.previous
        assert record.previous.texts == said(back)
