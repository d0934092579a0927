"""What a run makes of a record: claimed, captioned, put off, or ended by an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from captioning.contents import Result
from captioning.deferral import delay, is_hopeless, waiting_since
from captioning.edits import TEXTS, kept
from captioning.errors import CaptioningError, GaveUp, ImageRejected, ServiceDeferred
from captioning.models import CaptionRecord, Claim, ImageInfo, Provenance, RecordError
from captioning.providers import Answers, InspectedPicture
from captioning.stored import BlobDescription
from captioning.upload import record_of


def claimed(
    previous: CaptionRecord | None, blob: BlobDescription, claim: Claim, now: datetime
) -> CaptionRecord:
    """The record in the hands of a run. What is known of the same upload stays meanwhile."""
    known = record_of(blob, previous, now)
    crashed = known.status == "processing" and known.claim and known.claim.worker != claim.worker
    crashes = known.claim.crashes + 1 if known.claim and crashed else 0
    is_waiting = known.status in {"processing", "deferred"}
    return replace(
        known,
        status="processing",
        updated=now,
        claim=replace(claim, crashes=crashes),
        error=known.error if is_waiting else None,
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


def ended(
    record: CaptionRecord,
    result: Result,
    made: Provenance,
    run: str,
    now: datetime,
    uniform: Callable[[float, float], float],
) -> CaptionRecord:
    """What the run ends with: a final record, or a deferred one until it is tried again."""
    error = result.error
    if isinstance(error, ServiceDeferred):
        since = waiting_since(error, record.error.since if record.error else None, now)
        if not is_hopeless(error, since, now):
            return _put_off(record, error, since, run, now, uniform)
        error = GaveUp(error, now - since)
    known = record.provenance
    made = replace(
        made, vision=known.vision, model=known.model, edited_by_human=known.edited_by_human
    )
    record = replace(record, provenance=made, usage=result.usage, claim=None, updated=now)
    if error:
        return _refused(record, error)
    if result.answers is None:
        return record
    captioned = _captioned(record, result.answers)
    return kept(_with_support(captioned, result), record)


def outranks(saved: CaptionRecord, ours: CaptionRecord) -> bool:
    """Whether somebody else's run of the same upload has already ended better than ours."""
    same = saved.image.etag == ours.image.etag
    return same and (saved.status == "captioned" or ours.status == "deferred")


def _captioned(record: CaptionRecord, answers: Answers) -> CaptionRecord:
    analysis, captioning = answers.analysis, answers.captioning
    main = next(iter(captioning.texts), None)
    words = captioning.texts[main] if main else None
    return replace(
        record,
        status="captioned",
        review="needed" if words is None or (analysis and analysis.adult) else "none",
        language=main,
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
        error=None,
    )


def _with_support(record: CaptionRecord, result: Result) -> CaptionRecord:
    """Doubt is about the model's texts: where a person wrote one, there is none."""
    is_doubtful = result.is_doubtful and not TEXTS.intersection(record.provenance.edited_by_human)
    review = "needed" if is_doubtful else record.review
    return replace(record, support=result.support, review=review)


def _refused(record: CaptionRecord, error: CaptioningError) -> CaptionRecord:
    """A record that held a caption keeps it."""
    attempts = record.error.attempts + 1 if record.error else 1
    return replace(
        record,
        status="rejected" if isinstance(error, ImageRejected) else "failed",
        error=RecordError(error.code, error.message, attempts),
    )


def _put_off(
    record: CaptionRecord,
    error: ServiceDeferred,
    since: datetime,
    run: str,
    now: datetime,
    uniform: Callable[[float, float], float],
) -> CaptionRecord:
    attempts = record.error.attempts + 1 if record.error else 1
    until = now + timedelta(seconds=delay(error, attempts, uniform))
    return replace(
        record,
        status="deferred",
        claim=Claim(run, until),
        error=RecordError(error.code, error.message, attempts, until, since),
        updated=now,
    )
