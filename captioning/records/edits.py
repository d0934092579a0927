"""What people write into records. It stays: everything that makes a record goes through here.

Edits are JSON values by field. `provenance.edited_by_human` names the fields of a record that a
person wrote about the bytes of its upload.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from captioning.domain.blobs import BlobDescription
from captioning.domain.record import CaptionRecord, Carried, ImageInfo, record_id
from captioning.records.history import after_edit, after_run

Edits = Mapping[str, Any]
JUDGED = frozenset({"caption", "alt_text", "decorative"})
"""The fields that support is about: it is removed when a person changes one of them."""


def record_of(
    blob: BlobDescription, previous: CaptionRecord | None, now: datetime
) -> CaptionRecord:
    """The record of the blob's path if it is of this upload, else a new one.

    The new one keeps what people wrote about the upload before it (`carried`), until its bytes are
    known.
    """
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


def edited(record: CaptionRecord, edits: Edits, now: datetime) -> CaptionRecord:
    """The record with a person's edits, whatever its status."""
    return after_edit(replace(_with_edits(record, edits), updated=now), record)


def kept(made: CaptionRecord, known: CaptionRecord) -> CaptionRecord:
    """The record that was made of an upload, with what people wrote into its `known` record."""
    edits = edits_of(known)
    if not edits:
        return after_run(made, made, known)
    both = replace(_with_edits(made, edits), updated=max(made.updated, known.updated))
    return after_run(both, made, known)


def carried_on(previous: CaptionRecord | None) -> Carried | None:
    """What the record of a new upload takes over from the one before, until its bytes are known.

    Edits of an upload whose bytes never were known end with it.
    """
    if previous is None or previous.image.sha256 is None:
        return previous.carried if previous else None
    edits = edits_of(previous)
    return Carried(previous.image.sha256, edits) if edits else None


def with_carried(record: CaptionRecord) -> CaptionRecord:
    """The record of an inspected picture, without `carried`. Carried edits are merged if they are
    about the same bytes, and dropped if not; edits that were made since win over them."""
    carried = record.carried
    if carried is None or record.image.sha256 is None:
        return record
    alone = replace(record, carried=None)
    if carried.sha256 != record.image.sha256:
        return alone
    return _with_edits(_with_edits(alone, carried.edits), edits_of(record))


def edits_of(record: CaptionRecord) -> dict[str, Any]:
    """The edits in the record, as JSON values by field."""
    names = record.provenance.edited_by_human
    document = record.to_json() if names else {}
    # A newer version may have let people write into fields that this one does not have.
    return {name: document[name] for name in names if name in document}


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
    is_captioned_now = record.caption is None and made.caption is not None
    said, says = ([getattr(one, name) for name in JUDGED] for one in (record, made))
    return replace(
        made,
        provenance=replace(record.provenance, edited_by_human=tuple(names)),
        note=None if is_captioned_now else record.note,
        support=record.support if said == says else None,
    )
