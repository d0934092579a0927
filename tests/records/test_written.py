"""What people wrote about a path before: it returns with its bytes, and is reached by a revert."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioning.domain.blobs import BlobDescription
from captioning.domain.record import CaptionRecord, Provenance, Written
from captioning.records.edits import edited, kept, record_of, with_returned
from captioning.records.history import obstacle, restored, reverted, texts_in
from captioning.records.written import MOST_WRITTEN, edits_before, edits_of, overwritten, remembered
from testing.factories.records import FULL, START, short

LATER = START + timedelta(hours=1)
FIELDS = ("caption", "alt_text", "review")
MILA = Written("ab" * 32, {"caption": "Mila."}, START)


def entry(number: int, *, undone: bool = False) -> Written:
    return Written(f"{number:064}", {"caption": f"{number}"}, START, undone)


class Story:
    """One path and everything that happens to it. `last` has the latest edit of each field, by the
    bytes that it is about."""

    def __init__(self) -> None:
        self.numbers = count()
        self.content = "a"
        self.record = self.uploaded(None)
        self.last: dict[tuple[str, str], Any] = {}
        self.waiting: dict[str, Any] = {}
        self.lost: list[dict[str, Any]] = []

    def uploaded(self, previous: CaptionRecord | None) -> CaptionRecord:
        blob = BlobDescription("a.jpg", 1, f"{next(self.numbers)}", START)
        return record_of(blob, previous, LATER)

    def upload(self, content: str) -> None:
        if self.waiting:  # about bytes that nobody has read
            self.lost.append(self.waiting)
            self.waiting = {}
        self.content, self.record = content, self.uploaded(self.record)

    def caption(self) -> None:
        """A run with settings of its own."""
        sha256 = hashlib.sha256(self.content.encode()).hexdigest()
        known = with_returned(replace(self.record, image=replace(self.record.image, sha256=sha256)))
        number = next(self.numbers)
        made = replace(
            known,
            status="captioned",
            caption=f"Model {number}.",
            alt_text=f"Model {number}.",
            review="none",
            provenance=Provenance(
                model="m",
                fingerprint=f"{number}",
                edited_by_human=known.provenance.edited_by_human,
            ),
        )
        self.record = kept(made, known)
        self.last |= {(self.content, field): value for field, value in self.waiting.items()}
        self.waiting = {}

    def edit(self, field: str) -> None:
        value = "done" if field == "review" else f"Person {next(self.numbers)}."
        self.record = edited(self.record, {field: value}, LATER)
        if self.record.image.sha256:
            self.last[self.content, field] = value
        else:
            self.waiting[field] = value

    def revert(self) -> None:
        if obstacle(self.record) is None:
            self.record = reverted(self.record, LATER)

    def check(self) -> None:
        record = self.record
        places = [edits_of(record), edits_before(record.previous)]
        places += [entry.edits for entry in record.history]
        assert len(record.history) <= MOST_WRITTEN
        wanted = [(field, value) for (_, field), value in self.last.items()]
        wanted += [item for edits in [self.waiting, *self.lost] for item in edits.items()]
        for field, value in wanted:
            assert any(edits.get(field) == value for edits in places), (field, value, record)


ACTIONS: st.SearchStrategy[Callable[[Story], None]] = st.one_of(
    st.sampled_from("ab").map(lambda content: lambda story: story.upload(content)),
    st.sampled_from(FIELDS).map(lambda field: lambda story: story.edit(field)),
    st.just(Story.caption),
    st.just(Story.revert),
)


@given(st.lists(ACTIONS, max_size=14))
@settings(max_examples=400)
def test_every_edit_is_in_the_record_its_previous_texts_or_its_history(
    actions: list[Callable[[Story], None]],
) -> None:
    """The latest of each field about the same bytes, whatever happens to the path."""
    story = Story()
    for action in actions:
        action(story)
        story.check()


class TestHistory:
    def test_it_holds_ten_and_drops_first_what_a_person_went_back_from(self) -> None:
        full = remembered(
            (), *(entry(number, undone=number == 3) for number in range(MOST_WRITTEN))
        )
        assert len(full) == MOST_WRITTEN
        more = remembered(full, MILA)
        assert more == (MILA, *(one for one in full if not one.undone))
        assert remembered(more, entry(77))[-1] == entry(8)

    def test_the_same_again_is_no_second_entry(self) -> None:
        again = replace(MILA, until=LATER)
        assert remembered((entry(1), MILA), again) == (again, entry(1))

    def test_an_edit_that_was_gone_back_from_does_not_return_by_itself(self) -> None:
        known = short("a.jpg", provenance=Provenance(model="m"))
        known = replace(known, image=replace(known.image, sha256=MILA.sha256))
        back = reverted(edited(known, MILA.edits, START), START)
        history = overwritten(back, LATER)
        assert history == (replace(MILA, until=LATER, undone=True),)
        again = replace(known, history=history)
        assert with_returned(again) == again

    def test_an_older_document_has_its_one_entry(self) -> None:
        """Written by a version that dropped what people wrote about other bytes."""
        document = replace(FULL, history=()).to_json()
        del document["history"]
        document["carried"] = {"sha256": MILA.sha256, "edits": MILA.edits}
        found = CaptionRecord.from_json(document)
        assert found == replace(FULL, history=(replace(MILA, until=FULL.updated),))
        assert "carried" not in found.to_json()


def test_what_goes_into_the_history_during_a_run_stays() -> None:
    """Somebody corrects another field of a record that has been reverted."""
    known = short("a.jpg", provenance=Provenance(model="m"))
    known = reverted(edited(known, MILA.edits, START), START)
    corrected = edited(known, {"alt_text": "A cat."}, LATER)
    assert [one.edits for one in corrected.history] == [MILA.edits]
    made = replace(known, caption="Anew.", provenance=Provenance(model="n"))
    assert kept(kept(made, known), corrected).history == corrected.history


class TestRevert:
    """A record that another upload has begun."""

    @pytest.mark.parametrize("status", ["captioned", "rejected", "failed"])
    def test_the_newest_entry_is_written_into_it_and_out_of_it(self, status: Any) -> None:
        made = Provenance(model="m") if status == "captioned" else Provenance()
        record = short("a.jpg", status=status, provenance=made, history=(MILA, entry(1)))
        assert obstacle(record) is None
        once = reverted(record, LATER)
        assert (once.caption, once.provenance.edited_by_human) == ("Mila.", ("caption",))
        assert once.history == record.history
        assert once.previous
        assert once.previous.texts == texts_in(record.to_json())
        assert texts_in(reverted(once, LATER).to_json()) == texts_in(record.to_json())

    def test_any_entry_can_be_restored(self) -> None:
        record = short("a.jpg", provenance=Provenance(model="m"), history=(MILA, entry(1)))
        assert restored(record, record.history[1], LATER).caption == "1"
