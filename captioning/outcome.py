"""What a run makes of a record: begun, captioned, or ended by an error."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from captioning.errors import CaptioningError
from captioning.models import (
    BlobDescription,
    CaptionRecord,
    ImageInfo,
    Provenance,
    RecordError,
    StoredRecord,
    Usage,
    record_id,
)
from captioning.providers import Answers, Picture, Providers


class InspectedPicture(Picture, Protocol):
    """A picture and what is known of it; sizes are upright."""

    @property
    def format(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def frames(self) -> int: ...
    @property
    def sha256(self) -> str: ...


def begun(
    blob: BlobDescription, now: datetime, previous: StoredRecord | None, providers: Providers
) -> CaptionRecord:
    """A record of what is known before the blob is read."""
    return CaptionRecord(
        path=blob.path,
        id=record_id(blob.path),
        status="processing",
        image=ImageInfo(bytes=blob.bytes, etag=blob.etag, modified=blob.modified),
        created=previous.record.created if previous else now,
        updated=now,
        provenance=Provenance(input=providers.input, fingerprint=providers.fingerprint),
    )


def with_picture(image: ImageInfo, picture: InspectedPicture) -> ImageInfo:
    """What is known of the image once it has been inspected."""
    return replace(
        image,
        format=picture.format,
        width=picture.width,
        height=picture.height,
        frames=picture.frames,
        sha256=picture.sha256,
    )


def captioned(record: CaptionRecord, answers: Answers) -> CaptionRecord:
    """The record with what the services said."""
    analysis, captioning = answers.analysis, answers.captioning
    main = next(iter(captioning.texts), None)
    words = captioning.texts[main] if main else None
    return replace(
        record,
        status="captioned",
        review="needed" if words is None or (analysis and analysis.adult) else "none",
        caption=words.caption if words else None,
        alt_text=words.alt_text if words else None,
        decorative=captioning.decorative,
        description=(words.description or None) if words else None,
        note=captioning.note,
        translations={name: text for name, text in captioning.texts.items() if name != main},
        tags=analysis.tags if analysis else (),
        objects=analysis.objects if analysis else (),
        text=analysis.text if analysis else (),
        brands=analysis.brands if analysis else (),
        provenance=replace(
            record.provenance,
            vision=analysis.provider if analysis else None,
            model=captioning.model,
        ),
        usage=Usage(
            input_tokens=captioning.input_tokens,
            cached_tokens=captioning.cached_tokens,
            output_tokens=captioning.output_tokens,
            vision_calls=analysis.calls if analysis else 0,
        ),
    )


def same_content(previous: StoredRecord | None, blob: BlobDescription) -> CaptionRecord | None:
    """The record as it was, where it is of the same upload: what it holds stays while we wait."""
    return previous.record if previous and previous.record.image.etag == blob.etag else None


def why(
    error: CaptioningError, previous: StoredRecord | None, blob: BlobDescription
) -> RecordError:
    """The error for the record, counted on from earlier attempts at the same upload."""
    before = same_content(previous, blob)
    attempts = before.error.attempts if before and before.error else 0
    return RecordError(code=error.code, message=error.message, attempts=attempts + 1)
