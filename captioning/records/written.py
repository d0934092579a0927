"""What people wrote into a record, and the history of what they wrote about the path before.

Edits are JSON values by field. `provenance.edited_by_human` names the fields of a record that a
person wrote about the bytes of its upload.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from captioning.domain.record import CaptionRecord, Previous, Written

Edits = Mapping[str, Any]
History = tuple[Written, ...]
JUDGED = frozenset({"caption", "alt_text", "decorative"})
"""The fields that support is about: it is removed when a person changes one of them."""
MOST_WRITTEN = 10
"""Entries of a history: a record must fit 1 MiB, whatever people write."""


def edits_of(record: CaptionRecord) -> dict[str, Any]:
    """The edits in the record, as JSON values by field."""
    names = record.provenance.edited_by_human
    document = record.to_json() if names else {}
    # A newer version may have let people write into fields that this one does not have.
    return {name: document[name] for name in names if name in document}


def with_edits(record: CaptionRecord, edits: Edits) -> CaptionRecord:
    """The record with these edits. A decorative picture has an empty alt text; the later edit of
    the two decides."""
    if not edits:
        return record
    document = record.to_json() | dict(edits)
    if edits.get("decorative"):
        document["alt_text"] = ""
    elif edits.get("alt_text"):
        document["decorative"] = False
    made = CaptionRecord.from_json(document)
    names = sorted({*record.provenance.edited_by_human, *edits})
    is_captioned_now = record.caption is None and made.caption is not None
    said, says = ([getattr(one, name) for name in JUDGED] for one in (record, made))
    return replace(
        made,
        provenance=replace(record.provenance, edited_by_human=tuple(names)),
        note=None if is_captioned_now else record.note,
        support=record.support if said == says else None,
    )


def overwritten(record: CaptionRecord, now: datetime) -> History:
    """The history of the path when another upload replaces that of the record."""
    edits, sha256 = edits_of(record), record.image.sha256
    undone = undone_in(record, edits)
    return remembered(
        record.history, Written(sha256, edits, now), Written(sha256, undone, now, undone=True)
    )


def remembered(history: History, *entries: Written) -> History:
    """The history with newer entries before it. Where there are too many, edits that a person had
    gone back from are dropped first, the oldest of them before the others."""
    new = [entry for entry in entries if entry.edits]
    known = [entry for entry in history if not any(_is_same(entry, other) for other in new)]
    found = [*new, *known]
    while len(found) > MOST_WRITTEN:
        oldest = found[::-1]
        found.remove(next((entry for entry in oldest if entry.undone), oldest[0]))
    return tuple(found)


def edits_before(previous: Previous | None) -> dict[str, Any]:
    """What people wrote in the previous texts."""
    if previous is None:
        return {}
    names = previous.provenance.get("edited_by_human", ())
    return {name: previous.texts[name] for name in names if name in previous.texts}


def undone_in(record: CaptionRecord, *left: Edits) -> dict[str, Any]:
    """What people wrote into the record and then went back from, without what is `left` of it."""
    if record.previous is None or not record.previous.undone:
        return {}
    return {
        name: value
        for name, value in edits_before(record.previous).items()
        if all(edits.get(name) != value for edits in left)
    }


def returning(history: History, sha256: str | None) -> History:
    """The entries about these bytes, which apply again when the bytes come back."""
    return tuple(
        entry for entry in history if sha256 and entry.sha256 == sha256 and not entry.undone
    )


def without_returning(history: History, sha256: str | None) -> History:
    """The entries that stay in the history of these bytes."""
    back = returning(history, sha256)
    return tuple(entry for entry in history if entry not in back)


def _is_same(one: Written, other: Written) -> bool:
    return replace(one, until=other.until) == other


def has_human_text(record: CaptionRecord) -> bool:
    """Whether anything of the record was written by people; True where it cannot be read."""
    return bool(
        record.status == "unreadable"
        or record.provenance.edited_by_human
        or edits_before(record.previous)
        or record.history
    )
