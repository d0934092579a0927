"""What people write into records. It stays: everything that makes a record goes through here.

`written.py` says what edits are.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from captioning.domain.blobs import BlobDescription
from captioning.domain.record import CaptionRecord, ImageInfo, record_id
from captioning.records.history import after_edit, after_run
from captioning.records.written import (
    Edits,
    edits_of,
    overwritten,
    remembered,
    returning,
    with_edits,
    without_returning,
)


def record_of(
    blob: BlobDescription, previous: CaptionRecord | None, now: datetime
) -> CaptionRecord:
    """The record of the blob's path if it is of this upload, else a new one, whose history has what
    people wrote about the upload before it."""
    if previous and previous.image.etag == blob.etag:
        return previous
    return CaptionRecord(
        path=blob.path,
        id=record_id(blob.path),
        status="processing",
        image=ImageInfo(bytes=blob.bytes, etag=blob.etag, modified=blob.modified),
        created=previous.created if previous else now,
        updated=now,
        history=overwritten(previous, now) if previous else (),
    )


def may_be_same(record: CaptionRecord, blob: BlobDescription) -> bool:
    """Whether the blob may be the record's upload although its ETag is another one: only its bytes
    can tell then."""
    image = record.image
    is_known = image.sha256 is not None and record.status != "unreadable"
    return is_known and image.etag != blob.etag and image.bytes == blob.bytes


def with_etag_of(record: CaptionRecord, blob: BlobDescription, data: bytes) -> CaptionRecord:
    """The record with the ETag of the blob, if the blob's `data` are the bytes that it is about. A
    change of metadata, properties or tier makes no new image, nor does an upload of the same."""
    if hashlib.sha256(data).hexdigest() != record.image.sha256:
        return record
    return replace(record, image=replace(record.image, etag=blob.etag))


def edited(record: CaptionRecord, edits: Edits, now: datetime) -> CaptionRecord:
    """The record with a person's edits, whatever its status."""
    return after_edit(replace(with_edits(record, edits), updated=now), record)


def kept(made: CaptionRecord, known: CaptionRecord) -> CaptionRecord:
    """The record that was made of an upload, with what people wrote into its `known` record."""
    # The history may have grown since the run took the record; what it had about these bytes is in
    # the text that the run made.
    made = replace(made, history=without_returning(known.history, made.image.sha256))
    edits = edits_of(known)
    if not edits:
        return after_run(made, made, known)
    both = replace(with_edits(made, edits), updated=max(made.updated, known.updated))
    return after_run(both, made, known)


def replacing(made: CaptionRecord, older: CaptionRecord) -> CaptionRecord:
    """The record that replaces that of an older upload, with what people wrote there in its
    history."""
    return replace(made, history=remembered(overwritten(older, made.updated), *made.history))


def with_returned(record: CaptionRecord) -> CaptionRecord:
    """The record of bytes that are known now. What people wrote about the same bytes before leaves
    the history and applies again; edits that were made since win over it."""
    back = returning(record.history, record.image.sha256)
    if not back:
        return record
    merged = replace(record, history=without_returning(record.history, record.image.sha256))
    for entry in reversed(back):
        merged = with_edits(merged, entry.edits)
    return with_edits(merged, edits_of(record))
