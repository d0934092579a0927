"""One step back: what a record keeps of what it said, and how it is brought back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from captioning.domain.record import (
    CaptionRecord,
    CaptionText,
    Provenance,
    RecordError,
    Support,
    Tag,
)
from captioning.domain.usage import Usage
from captioning.pipeline.transitions import outranks
from captioning.records.edits import edited, kept
from captioning.records.history import TEXTS, after_failure, obstacle, reverted, texts_in
from captioning.records.written import edits_of
from testing.factories.records import START, short

LATER = START + timedelta(hours=1)
EDITS: dict[str, Any] = {
    "caption": "Mila, 3.",
    "alt_text": "Mila.",
    "decorative": True,
    "tags": [{"name": "Mila", "confidence": 1.0}],
}


def by(model: str, **changes: Any) -> CaptionRecord:
    """A record that a model has captioned, in every field."""
    return replace(
        short("a.jpg"),
        language="en",
        caption=f"A dog, says {model}.",
        alt_text=f"Dog, says {model}.",
        description=f"A brown dog, says {model}.",
        translations={"de": CaptionText(f"Ein Hund, sagt {model}.", "Ein Hund.")},
        tags=(Tag(f"dog of {model}", 0.9),),
        support=Support(0.5, (model,)),
        note=f"A note on {model}.",
        provenance=Provenance(vision="v", model=model, input="image", fingerprint=f"f-{model}"),
        usage=Usage(1, 0, 1, 1, usd=float(len(model))),
        **changes,
    )


def said(record: CaptionRecord) -> dict[str, Any]:
    return texts_in(record.to_json())


def before(record: CaptionRecord) -> dict[str, Any]:
    """What it said before."""
    assert record.previous
    return record.previous.texts


class TestWhatIsKept:
    @pytest.mark.parametrize("field", EDITS)
    def test_a_correction_keeps_what_the_model_said(self, field: str) -> None:
        record = edited(by("old"), {field: EDITS[field]}, LATER)
        assert before(record) == said(by("old"))
        assert record.previous
        assert record.previous.provenance == by("old").to_json()["provenance"]
        assert (record.previous.usage, record.previous.until) == (by("old").usage, LATER)

    def test_many_corrections_are_one_step(self) -> None:
        record = by("old")
        for field in EDITS:
            record = edited(record, {field: EDITS[field]}, LATER)
        record = edited(record, {"caption": "Mila, 4."}, LATER)
        assert before(record) == said(by("old"))

    def test_what_changes_no_text_keeps_nothing(self) -> None:
        assert edited(by("old"), {"review": "done"}, LATER).previous is None
        assert edited(by("old"), {"caption": by("old").caption}, LATER).previous is None

    def test_a_review_is_no_correction_of_the_text(self) -> None:
        record = edited(edited(by("old"), {"review": "done"}, LATER), EDITS, LATER)
        assert before(record) == said(by("old"))

    def test_where_no_model_said_anything_there_is_nothing_to_keep(self) -> None:
        assert edited(short("a.jpg", status="failed"), EDITS, LATER).previous is None

    def test_new_text_keeps_the_text_before(self) -> None:
        record = kept(by("new"), by("old"))
        assert said(record) == said(by("new"))
        assert before(record) == said(by("old"))
        third = kept(by("newest"), record)
        assert before(third) == said(by("new"))

    def test_the_same_text_again_is_no_step(self) -> None:
        known = kept(by("new"), by("old"))
        again = replace(known, previous=None, provenance=by("newest").provenance)
        assert kept(again, known).previous == known.previous

    @pytest.mark.parametrize("field", EDITS)
    def test_new_text_leaves_what_people_wrote_and_keeps_the_rest(self, field: str) -> None:
        known = edited(by("old"), {field: EDITS[field]}, LATER)
        record = kept(by("new"), known)
        assert edits_of(record) == edits_of(known)
        assert before(record) == said(known)
        assert record.description == by("new").description

    def test_the_models_first_words_stand_beside_what_was_written_before_them(self) -> None:
        """Also what is written while the run saves them."""
        waiting = edited(
            short("a.jpg", status="processing", caption=None), {"caption": "M."}, LATER
        )
        people = waiting.provenance.edited_by_human
        made = replace(by("old"), provenance=replace(by("old").provenance, edited_by_human=people))
        ended = kept(made, waiting)
        saved = kept(ended, edited(waiting, {"alt_text": "Mila."}, LATER))
        for record in (ended, saved):
            assert before(record) == said(by("old"))
            assert record.previous
            assert record.previous.provenance["edited_by_human"] == []
        assert edits_of(saved) == {"caption": "M.", "alt_text": "Mila."}

    @pytest.mark.parametrize("known", ["nothing", "text"])
    def test_a_save_that_meets_a_correction_comes_to_the_same_twice(self, known: str) -> None:
        """As a run tells its own record by it."""
        found = by("old") if known == "text" else short("a.jpg", caption=None)
        ended = kept(by("new"), found)
        corrected = edited(found, {"caption": "Mila."}, LATER)
        saved = kept(ended, corrected)
        assert kept(ended, saved) == saved
        assert edits_of(saved) == {"caption": "Mila."}
        later = edited(saved, {"alt_text": "Mila."}, LATER)
        assert kept(ended, later) == later


class TestRevert:
    @pytest.mark.parametrize(
        "record",
        [
            kept(by("new"), by("old")),
            edited(by("old"), EDITS, LATER),
            kept(by("new"), edited(by("old"), EDITS, LATER)),
            edited(kept(by("new"), by("old")), EDITS, LATER),
        ],
        ids=["new text", "corrections", "new text under corrections", "corrections of new text"],
    )
    def test_it_is_a_swap(self, record: CaptionRecord) -> None:
        once = reverted(record, LATER)
        assert said(once) == before(record)
        assert before(once) == said(record)
        assert once.previous
        assert record.previous
        assert (once.usage, once.previous.usage) == (record.previous.usage, record.usage)
        twice = reverted(once, LATER)
        assert said(twice) == said(record)
        assert twice.provenance == record.provenance
        assert twice.usage == record.usage

    def test_text_of_an_earlier_making_is_held(self) -> None:
        once = reverted(kept(by("new"), by("old")), LATER)
        assert once.provenance == replace(by("old").provenance, reverted=True)
        assert not reverted(once, LATER).provenance.reverted

    def test_a_models_own_text_is_the_models_again(self) -> None:
        once = reverted(edited(by("old"), EDITS, LATER), LATER)
        assert once.provenance == by("old").provenance
        assert edits_of(reverted(once, LATER)) == {**EDITS, "alt_text": "", "decorative": True}

    def test_what_is_corrected_after_it_has_the_reverted_text_before(self) -> None:
        """And the text that was gone back from ends."""
        once = reverted(edited(by("old"), EDITS, LATER), LATER)
        again = edited(once, {"caption": "Anew."}, LATER)
        assert before(again) == said(by("old"))

    def test_the_review_is_nobodys_text(self) -> None:
        record = edited(kept(by("new"), by("old")), {"review": "done"}, LATER)
        once = reverted(record, LATER)
        assert (once.review, once.provenance.edited_by_human) == ("done", ("review",))

    def test_what_the_record_is_of_stays(self) -> None:
        record = kept(by("new"), by("old"))
        once = reverted(record, LATER)
        changed = {*TEXTS, "provenance", "usage", "updated", "previous"}
        document, made = record.to_json(), once.to_json()
        assert {name for name in made if made[name] != document[name]} <= changed
        assert once.updated == LATER

    def test_text_of_a_record_of_long_ago_is_brought_back(self) -> None:
        """Written when `provenance` had fewer fields."""
        record = kept(by("new"), by("old"))
        assert record.previous
        short_form = {"model": "old", "fingerprint": "f-old"}
        record = replace(record, previous=replace(record.previous, provenance=short_form))
        assert reverted(record, LATER).provenance.reverted

    def test_without_anything_before_there_is_an_obstacle(self) -> None:
        assert (obstacle(by("old")) or ("",))[0] == "no_previous"
        assert obstacle(kept(by("new"), by("old"))) is None
        waiting = replace(kept(by("new"), by("old")), status="deferred")
        assert (obstacle(waiting) or ("",))[0] == "in_progress"
        assert reverted(by("old"), LATER) == by("old")


@pytest.mark.parametrize("is_rejected", [True, False])
def test_a_failure_leaves_a_captioned_record_as_it_was(*, is_rejected: bool) -> None:
    error = RecordError("content_filtered", "Why.")
    known = by("old", status="processing")
    record = after_failure(known, error, is_rejected=is_rejected, now=LATER)
    assert record == replace(known, status="captioned", error=error, updated=LATER)
    bare = after_failure(
        short("a.jpg", status="processing"), error, is_rejected=is_rejected, now=LATER
    )
    assert bare.status == ("rejected" if is_rejected else "failed")


@pytest.mark.parametrize(
    ("saved", "ours", "is_better"),
    [
        (by("new"), by("old", error=RecordError("gave_up", "")), True),
        (by("old", error=RecordError("gave_up", "")), by("new"), False),
        (by("old", error=RecordError("gave_up", "")), by("old", status="deferred"), True),
        (by("old", status="processing"), by("new"), False),
    ],
)
def test_a_new_caption_outranks_an_old_one_that_stays(
    saved: CaptionRecord, ours: CaptionRecord, *, is_better: bool
) -> None:
    """Where two runs have had the same image."""
    assert outranks(saved, ours) is is_better
