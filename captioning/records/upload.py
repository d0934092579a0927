"""The record of an upload: the one there is, or a new one."""

from __future__ import annotations

from datetime import datetime

from captioning.domain.record import CaptionRecord, ImageInfo, record_id
from captioning.domain.stored import BlobDescription
from captioning.records.edits import carried_on


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
