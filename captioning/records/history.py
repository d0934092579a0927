"""One step back: what a record said before its texts were replaced.

A step is new text of a model, or a person's corrections of a model's text. All corrections of one
text are one step, so that a revert restores what the model itself said. What people wrote about
earlier uploads is in the history: see `written.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from captioning.domain.record import (
    FINAL,
    CaptionRecord,
    Previous,
    Provenance,
    RecordError,
    Status,
    Written,
)
from captioning.records.written import edits_before, edits_of, remembered, undone_in, with_edits

TEXTS = (
    *("language", "caption", "alt_text", "decorative", "description"),
    *("translations", "tags", "support", "note"),
)
"""The fields that are made and reverted together."""


def has_model_text(record: CaptionRecord) -> bool:
    """Whether a model has captioned this upload, whatever happened afterwards."""
    return record.provenance.model is not None


def snapshot(record: CaptionRecord, until: datetime) -> Previous:
    """The record's texts and how they came to be, which stood `until` then."""
    document = record.to_json()
    return Previous(texts_in(document), document["provenance"], record.usage, until)


def texts_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of a record's JSON document."""
    return {name: document[name] for name in TEXTS}


def after_edit(edited: CaptionRecord, known: CaptionRecord) -> CaptionRecord:
    """The edited record, with the texts of the `known` one as its previous ones; with those of the
    model, if the known ones were edited already."""
    if not has_model_text(known) or not _differ(edited, known):
        return edited
    if _is_original(_earlier(known), known):
        return edited
    before, after = edits_of(known), edits_of(edited)
    rewritten = {name for name, value in after.items() if before.get(name) != value}
    return _stepped(edited, known, snapshot(known, edited.updated), rewritten)


def after_run(made: CaptionRecord, alone: CaptionRecord, known: CaptionRecord) -> CaptionRecord:
    """The record that a run ends with, with the texts of the `known` one as its previous ones.

    `alone` is what the run made, without what people wrote. If no model had captioned the image
    before, that is kept as the previous text, beside the words of people.
    """
    previous = known.previous
    if _making(made.provenance) != _making(known.provenance):
        if has_model_text(known):
            previous = snapshot(known, made.updated) if _differ(made, known) else previous
        elif has_model_text(alone) and _differ(made, alone):
            own = replace(alone, provenance=replace(alone.provenance, edited_by_human=()))
            previous = alone.previous or snapshot(own, made.updated)
    return _stepped(made, known, previous)


def after_failure(
    record: CaptionRecord, error: RecordError, *, is_rejected: bool, now: datetime
) -> CaptionRecord:
    """The record of an image whose run failed for good. If a model has captioned it before, it
    stays `captioned` with its texts, and the error beside them."""
    status: Status = "rejected" if is_rejected else "failed"
    return replace(
        record,
        status="captioned" if has_model_text(record) else status,
        error=error,
        claim=None,
        updated=now,
    )


def obstacle(record: CaptionRecord) -> tuple[str, str] | None:
    """Why the record cannot be reverted, as a code and a text for a person; None if it can."""
    if record.status == "unreadable":
        return "unreadable", record.error.message if record.error else ""
    if record.status not in FINAL:
        return "in_progress", "The image is being captioned: revert it when that is done."
    if record.previous is None and not record.history:
        return "no_previous", "There is nothing to go back to: the record has had no other text."
    return None


def reverted(record: CaptionRecord, now: datetime) -> CaptionRecord:
    """The record with its texts and its previous ones swapped; without previous ones, with what
    people wrote last about an earlier upload. Unchanged without either.

    Texts of an earlier run are marked as `reverted`: only an upload, or a request for this very
    image, replaces them.
    """
    earlier = _earlier(record)
    if earlier is None or record.previous is None:
        return restored(record, record.history[0], now) if record.history else record
    made, known = earlier.provenance, record.provenance
    edited = _edited_texts(made) | ({*known.edited_by_human} - {*TEXTS})
    made = replace(
        made,
        edited_by_human=tuple(sorted(edited)),
        reverted=_making(made) != _making(known) and not known.reverted,
    )
    usage = record.previous.usage
    before = replace(snapshot(record, now), undone=not record.previous.undone)
    return replace(earlier, provenance=made, usage=usage, updated=now, previous=before)


def restored(record: CaptionRecord, entry: Written, now: datetime) -> CaptionRecord:
    """The record with an entry of its history as a person's edits. Its present texts become the
    previous ones, so that `reverted` undoes it; the entry stays in the history."""
    made = replace(with_edits(record, entry.edits), updated=now)
    return _stepped(made, record, snapshot(record, now)) if _differ(made, record) else made


def _stepped(
    made: CaptionRecord,
    known: CaptionRecord,
    previous: Previous | None,
    rewritten: Collection[str] = (),
) -> CaptionRecord:
    """The record with its new previous texts. What people had gone back from in those of the
    `known` record goes into the history, but for the fields that they have `rewritten`."""
    undone = undone_in(known, edits_of(made), edits_before(previous))
    lost = {name: value for name, value in undone.items() if name not in rewritten}
    entry = Written(known.image.sha256, lost, made.updated, undone=True)
    return replace(made, previous=previous, history=remembered(made.history, entry))


def _earlier(record: CaptionRecord) -> CaptionRecord | None:
    """The record with its previous texts and their provenance."""
    previous = record.previous
    if previous is None:
        return None
    document = record.to_json() | previous.texts | {"provenance": previous.provenance}
    return CaptionRecord.from_json(document)


def _is_original(earlier: CaptionRecord | None, record: CaptionRecord) -> bool:
    """Whether the record is what people made of the `earlier` texts."""
    if earlier is None or _making(earlier.provenance) != _making(record.provenance):
        return False
    return _edited_texts(earlier.provenance) < _edited_texts(record.provenance)


def _making(made: Provenance) -> Provenance:
    """How texts were made, regardless of edits, a revert, and the names of tags."""
    return replace(made, edited_by_human=(), reverted=False, vocabulary=None)


def _edited_texts(made: Provenance) -> set[str]:
    return {*made.edited_by_human} & {*TEXTS}


def _differ(one: CaptionRecord, other: CaptionRecord) -> bool:
    return texts_in(one.to_json()) != texts_in(other.to_json())
