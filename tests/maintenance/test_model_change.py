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
from testing.harness.pipeline import LEASE, PipelineLab, on
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
TRANSLATED = {
    "de": {
        "caption": "Etwas Neues.",
        "alt_text": "Neu für die Leser.",
        "description": "Alles ist neu.",
    },
    "fr": {
        "caption": "Du nouveau.",
        "alt_text": "Nouveau pour le lecteur.",
        "description": "Tout est nouveau.",
    },
}
ANSWER, ANSWER_OLD = (
    completion(json.dumps({"decorative": False, "texts": {"en": WORDS, other: TRANSLATED[other]}}))
    for _, other in (NEW, OLD)
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
def _no_text(lab: PipelineLab) -> None:
    """No text in the pictures, which a caption would have to tell."""
    lab.local_vision.scene = lambda _: Scene(text=())


@lru_cache(2)
def app(lab: PipelineLab, languages: tuple[str, ...]) -> CaptionPipeline:
    """A process with these settings; it takes a while to make."""
    return lab.pipeline(captioner=lab.captioner(languages=languages))


def run(
    lab: PipelineLab, wake: CaptionMessage | None = None, languages: Any = NEW
) -> CaptionRecord:
    """The record after a delivery to an app with these settings."""
    app(lab, languages).process(wake or on("a.jpg"))
    return lab.stored("a.jpg").record


def old(lab: PipelineLab) -> CaptionRecord:
    """The record of an image that the old settings have captioned; an hour ago."""
    lab.storage.upload("a.jpg", JPEG)
    record = run(lab, languages=OLD)
    assert record.status == "captioned"
    lab.clock.advance(3600)
    return record


def asked(lab: PipelineLab, *, retry: bool = False) -> list[CaptionMessage]:
    """The messages by which the new settings ask for what is stale."""
    found = Round(
        Selection(stale=True, retry=retry),
        Limits(),
        catalog=lab.storage.catalog,
        recaption=Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals),
        fingerprint=app(lab, NEW)._cache.fingerprint,
        estimates=Free(),
    )
    list(found)
    return lab.due()


class Free:
    """Estimates of nothing."""

    basis = "nothing"

    def of(self, _: CaptionRecord) -> float | None:
        return 0.0


def call(lab: PipelineLab, method: str, **edits: Any) -> CaptionRecord:
    """Somebody edits the record, or reverts it; the record then."""
    api = EditApi(lab.storage.catalog, lab.clock)
    headers = {"content-type": "application/json", "if-match": "*"}
    request = Request("/x", "a.jpg", headers, json.dumps(edits).encode())
    response = getattr(api, method)(request)
    assert response.status == 200, response.body
    return lab.stored("a.jpg").record


def said(record: CaptionRecord) -> dict[str, Any]:
    return texts_in(record.to_json())


def found(lab: PipelineLab, words: str) -> list[str]:
    """Paths that a search gives."""
    query = parse(f"{words} ", (), ("en",))
    return [record.path for record in lab.storage.catalog.walk(query)]


class TestNewText:
    def test_it_takes_the_place_of_the_old_one_which_is_kept(self, lab: PipelineLab) -> None:
        known = old(lab)
        [wake] = asked(lab)
        lab.model.faults.append(ANSWER)
        record = run(lab, wake)
        assert (record.status, record.caption) == ("captioned", "Something new.")
        assert record.previous
        assert record.previous.texts == said(known)
        assert record.previous.usage == known.usage
        assert record.provenance.fingerprint != known.provenance.fingerprint
        assert asked(lab) == []

    def test_until_then_the_old_one_is_shown_and_found(self, lab: PipelineLab) -> None:
        known = old(lab)
        seen: list[Any] = []

        def look() -> None:
            record = lab.stored("a.jpg").record
            seen.append((record.status, said(record) == said(known), found(lab, "stand-in")))

        lab.vision.once(look)
        lab.model.faults.append(throttled(retry_after="60"))
        record = run(lab, asked(lab)[0])
        assert seen == [("processing", True, ["a.jpg"])]
        assert (record.status, said(record)) == ("deferred", said(known))
        assert (found(lab, "stand-in"), asked(lab)) == (["a.jpg"], [])

    def test_asked_twice_it_is_paid_for_once(self, lab: PipelineLab) -> None:
        """As it may be where a round is killed, and for copies."""
        old(lab)
        lab.storage.upload("copy.jpg", JPEG)
        app(lab, OLD).process(on("copy.jpg"))
        before = lab.calls
        wakes = [*asked(lab), *asked(lab)]
        assert sorted(wake.path for wake in wakes) == ["a.jpg", "a.jpg", "copy.jpg", "copy.jpg"]
        for wake in wakes:
            run(lab, wake)
        assert lab.calls == (before[0] + 1, before[1] + 1)
        assert lab.stored("copy.jpg").record.provenance.fingerprint

    @pytest.mark.parametrize(
        "fields", [["caption", "alt_text", "tags", "review"], ["decorative"]], ids=len
    )
    def test_what_people_wrote_stays(self, lab: PipelineLab, fields: list[str]) -> None:
        """In every field that they can write into."""
        old(lab)
        known = call(lab, "patch_caption", **{name: EDITS[name] for name in fields})
        lab.model.faults.append(ANSWER)
        record = run(lab, asked(lab)[0])
        before, after = known.to_json(), record.to_json()
        for name in known.provenance.edited_by_human:
            assert after[name] == before[name], name
        assert record.description == "All of it is new."
        assert (record.caption == "Something new.") == ("caption" not in fields)
        assert record.previous
        assert record.previous.texts == said(known)

    def test_every_field_that_people_write_is_tried_above(self) -> None:
        assert set(EDITS) == set(_Body.model_fields)

    def test_another_caption_on_request_keeps_the_one_before(self, lab: PipelineLab) -> None:
        known = old(lab)
        Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals).request("a.jpg")
        lab.model.faults.append(ANSWER_OLD)
        record = run(lab, lab.due()[0], languages=OLD)
        assert record.previous
        assert record.previous.texts == said(known)


def filtered(lab: PipelineLab) -> None:
    lab.chat_service.script.append(filtered_output())


def nonsense(lab: PipelineLab) -> None:
    lab.model.faults.extend([NO_ANSWER, NO_ANSWER])


class TestARunThatFails:
    """It makes no record worse than it was."""

    @pytest.mark.parametrize(
        ("fault", "code"), [(filtered, "content_filtered"), (nonsense, "bad_response")]
    )
    def test_the_record_is_as_it_was_but_for_the_error(
        self, lab: PipelineLab, fault: Callable[[PipelineLab], None], code: str
    ) -> None:
        known = old(lab)
        [wake] = asked(lab)
        fault(lab)
        record = run(lab, wake)
        self.is_as_it_was(record, known, code)
        assert list(lab.storage.catalog.walk()) == [record]
        calls = lab.calls
        assert run(lab, wake) == run(lab) == record
        assert asked(lab) == []
        assert lab.calls == calls

    def test_also_when_it_is_given_up_after_a_day(self, lab: PipelineLab) -> None:
        known = old(lab)
        [wake] = asked(lab)
        for hours in (0, 25):
            lab.clock.advance(hours * 3600)
            lab.model.faults.append(throttled())
            record = run(lab, wake if not hours else lab.due()[0])
        self.is_as_it_was(record, known, "gave_up")
        assert asked(lab) == []
        lab.clock.advance(3600)
        lab.model.faults.append(ANSWER)
        [again] = asked(lab, retry=True)
        assert run(lab, again).caption == "Something new."
        assert run(lab, again).error is None

    def test_also_when_the_host_gives_it_up(self, lab: PipelineLab) -> None:
        known = old(lab)
        pipeline = lab.pipeline("image", inspect=lambda _: pytest.fail("a bug"))
        with pytest.raises(pytest.fail.Exception):
            pipeline.process(asked(lab)[0])
        lab.clock.advance(LEASE.total_seconds() + 1)
        assert lab.cleanup.poisoned("a.jpg")
        self.is_as_it_was(lab.stored("a.jpg").record, known, "poisoned")

    def test_a_request_that_failed_is_not_paid_for_by_its_second_message(
        self, lab: PipelineLab
    ) -> None:
        known = old(lab)
        nonsense(lab)
        wake = CaptionMessage("a.jpg", afresh="a request")
        record = run(lab, wake, languages=OLD)
        self.is_as_it_was(record, known, "bad_response")
        calls = lab.calls
        assert run(lab, wake, languages=OLD) == record
        assert lab.calls == calls

    @staticmethod
    def is_as_it_was(record: CaptionRecord, known: CaptionRecord, code: str) -> None:
        assert (record.status, record.error and record.error.code) == ("captioned", code)
        changed = {"error", "updated", "seconds", "answered"}
        before, after = known.to_json(), record.to_json()
        assert {name for name in after if after[name] != before[name]} <= changed


class TestRevert:
    def renewed(self, lab: PipelineLab) -> CaptionRecord:
        """A record that the new settings have made of an old one."""
        old(lab)
        lab.model.faults.append(ANSWER)
        return run(lab, asked(lab)[0])

    def test_it_brings_the_old_text_back_and_that_is_found(self, lab: PipelineLab) -> None:
        record = self.renewed(lab)
        assert (found(lab, "stand-in"), found(lab, "something")) == ([], ["a.jpg"])
        back = call(lab, "post_revert")
        assert record.previous
        assert said(back) == record.previous.texts
        assert (found(lab, "stand-in"), found(lab, "something")) == (["a.jpg"], [])
        assert said(call(lab, "post_revert")) == said(record)

    def test_it_holds(self, lab: PipelineLab) -> None:
        """No event, no message and no reprocess undoes it; a request for the image does."""
        self.renewed(lab)
        back, calls = call(lab, "post_revert"), lab.calls
        assert run(lab) == back
        assert asked(lab) == []
        assert lab.calls == calls
        lab.model.faults.append(ANSWER)
        record = run(lab, CaptionMessage("a.jpg", afresh="a request"))
        assert (record.caption, record.provenance.reverted) == ("Something new.", False)
        assert record.previous
        assert record.previous.texts == said(back)
