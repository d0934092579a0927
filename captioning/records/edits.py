"""What people write into records. It stays: whatever else makes a record goes through here.

Edits are JSON values by field. `provenance.edited_by_human` tells which fields of a record are a
person's, about the bytes of the upload that the record is of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from captioning.domain.blobs import BlobDescription
from captioning.domain.record import CaptionRecord, Carried, ImageInfo, record_id
from captioning.records.history import after_edit, after_run


def record_of(
    blob: BlobDescription, previous: CaptionRecord | None, now: datetime
) -> CaptionRecord:
    """The record of the blob's path where it is of this upload; else a new one, of which nothing
    is known yet but what people wrote about the one before, for when its bytes are."""
    if previous and previous.image.etag == blob.etag:
        return previous
    return CaptionRecord(
        path=blob.path,
        id=record_id(blob.path),
        status="processing",
        image=ImageInfo(bytes=blob.bytes, etag=blob.etag, modified=blob.modified),
        created=previous.created if previous else now,
        updated=now,
        carried=carried_on(previous),
    )


Edits = Mapping[str, Any]
JUDGED = frozenset({"caption", "alt_text", "decorative"})
"""What support is about: where a person changes one of them, it is gone."""


def edited(record: CaptionRecord, edits: Edits, now: datetime) -> CaptionRecord:
    """The record as a person wants it, whatever its status."""
    return after_edit(replace(_with_edits(record, edits), updated=now), record)


def kept(made: CaptionRecord, known: CaptionRecord) -> CaptionRecord:
    """What was made of an upload, with what people wrote into its `known` record."""
    edits = edits_of(known)
    if not edits:
        return after_run(made, made, known)
    both = replace(_with_edits(made, edits), updated=max(made.updated, known.updated))
    return after_run(both, made, known)


def carried_on(previous: CaptionRecord | None) -> Carried | None:
    """What the record of a new upload takes over from the one before, until its bytes are known.

    Edits of an upload whose own bytes nobody knew end with it.
    """
    if previous is None or previous.image.sha256 is None:
        return previous.carried if previous else None
    edits = edits_of(previous)
    return Carried(previous.image.sha256, edits) if edits else None


def with_carried(record: CaptionRecord) -> CaptionRecord:
    """The record of an inspected picture: what was carried on is its own where it is about the
    same bytes, and ends here where it is not. What was written since has the word."""
    carried = record.carried
    if carried is None or record.image.sha256 is None:
        return record
    alone = replace(record, carried=None)
    if carried.sha256 != record.image.sha256:
        return alone
    return _with_edits(_with_edits(alone, carried.edits), edits_of(record))


def edits_of(record: CaptionRecord) -> dict[str, Any]:
    """What people wrote into the record."""
    names = record.provenance.edited_by_human
    document = record.to_json() if names else {}
    return {name: document[name] for name in names}


def _with_edits(record: CaptionRecord, edits: Edits) -> CaptionRecord:
    """A decorative picture has an empty alt text; the later edit of the two decides."""
    if not edits:
        return record
    document = record.to_json() | dict(edits)
    if edits.get("decorative"):
        document["alt_text"] = ""
    elif edits.get("alt_text"):
        document["decorative"] = False
    made = CaptionRecord.from_json(document)
    names = sorted({*record.provenance.edited_by_human, *edits})
    told_why_none = record.caption is None and made.caption is not None
    said, says = ([getattr(one, name) for name in JUDGED] for one in (record, made))
    return replace(
        made,
        provenance=replace(record.provenance, edited_by_human=tuple(names)),
        note=None if told_why_none else record.note,
        support=record.support if said == says else None,
    )
