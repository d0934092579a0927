"""The state machine of a record: when it may be claimed, and what a run makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto

from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import (
    FINAL,
    Captioning,
    CaptionRecord,
    Claim,
    ImageAnalysis,
    ImageInfo,
    Provenance,
    RecordError,
)
from captioning.errors import (
    BlobArchived,
    BlobRefused,
    BlobUnreadable,
    CaptioningError,
    ContentInProgress,
    GaveUp,
    ImageRejected,
    ServiceDeferred,
)
from captioning.providers import Answers, Picture
from captioning.records.edits import kept, record_of
from captioning.records.history import after_failure, has_model_text
from captioning.records.tag_vocabulary import NO_VOCABULARY, Vocabulary, has_other_tags
from captioning.records.written import JUDGED
from captioning.resilience.backoff import delay, is_hopeless, waiting_since
from captioning.reuse.cache import Result
from captioning.text.visible import has_words


def doubt(
    record: CaptionRecord, captioning: Captioning, analysis: ImageAnalysis | None
) -> str | None:
    """Why a person should review that the picture is called decorative; None if the analysis
    agrees, or if a person said so."""
    by_a_person = "decorative" in record.provenance.edited_by_human
    if not captioning.decorative or by_a_person or analysis is None:
        return None
    people = analysis.people or any(found.name == "person" for found in analysis.objects)
    found = {
        "text": any(has_words(line.text) for line in analysis.text),
        "people": bool(people),
        "objects": any(found.name != "person" for found in analysis.objects),
        "brands": bool(analysis.brands),
    }
    named = [name for name, is_there in found.items() if is_there]
    if not named:
        return None
    return f"Called decorative, although there is more in it: {', '.join(named)}."


MOST_ANSWERED = 10
"""Ids of requests that a record keeps: each may have messages that are left."""


class Standing(Enum):
    """What a delivery finds."""

    FREE = auto()
    """No run has a claim: this one may take it."""
    BUSY = auto()
    """Another run has a claim: try again when that ends."""
    SETTLED = auto()
    """Nothing is left to do, or another message takes care of it."""


def standing(
    record: CaptionRecord | None,
    blob: BlobDescription,
    message: CaptionMessage,
    *,
    run: str,
    fingerprint: str,
    vocabulary: str | None,
    lease: timedelta,
    now: datetime,
) -> Standing:
    """Whether this run may claim the blob's record. A newer upload is free, whatever claim there is
    on the older one; a record that this version cannot read is left alone."""
    if record is not None and record.status == "unreadable":
        return Standing.SETTLED
    if record is None or record.image.etag != blob.etag:
        return Standing.FREE
    if record.status in FINAL:
        is_settled = not has_other_tags(record, fingerprint, vocabulary) or message.renew is None
        if is_settled and _is_answered(record, message, fingerprint):
            return Standing.SETTLED
        return Standing.FREE
    claim = record.claim
    if claim is None or claim.worker == run:
        return Standing.FREE
    if not claim.holds(now, lease, has_waited=has_waited(record, message, lease, now)):
        return Standing.FREE
    if record.status == "processing":
        return Standing.BUSY  # even for its own message: that run may have been killed
    if message.afresh or message.ticket == claim.worker:
        return Standing.FREE
    # The image has a message of its own. One with another ticket is void; an event asks again.
    return Standing.BUSY if message.ticket is None else Standing.SETTLED


def has_waited(
    record: CaptionRecord, message: CaptionMessage, lease: timedelta, now: datetime
) -> bool:
    """Whether the image has waited for as long as a lease: for the run that has claimed its record,
    if this is the message that was sent for when that claim ends, or for its content."""
    claim, error = record.claim, record.error
    if record.status == "processing":
        return claim is not None and message.ticket == claim.worker
    if error is None or error.since is None:
        return False
    return error.code == ContentInProgress.code and now - error.since >= lease


def _is_answered(record: CaptionRecord, message: CaptionMessage, fingerprint: str) -> bool:
    """Whether the record answers the message, by its texts or by the error beside them."""
    made, error = record.provenance, record.error
    if message.afresh:
        ids = {*record.answered, made.afresh, error.afresh if error else None}
        return message.afresh in ids
    if message.renew != "texts":  # a mere event never pays for a picture that is done with
        return True
    if made.reverted or (error and error.fingerprint == fingerprint):
        return True
    return made.fingerprint in {None, fingerprint}  # None: given up before a service was called


def claimed(
    previous: CaptionRecord | None, blob: BlobDescription, claim: Claim, now: datetime
) -> CaptionRecord:
    """The record with the run's claim. What is known of the same upload stays meanwhile."""
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


def with_picture(image: ImageInfo, picture: Picture) -> ImageInfo:
    """The stored image with what its inspection found."""
    return replace(
        image,
        format=picture.format,
        width=picture.width,
        height=picture.height,
        frames=picture.frames,
        sha256=picture.sha256,
        color=picture.color,
    )


def ended(
    record: CaptionRecord,
    result: Result,
    made: Provenance,
    run: str,
    now: datetime,
    uniform: Callable[[float, float], float],
    vocabulary: Vocabulary = NO_VOCABULARY,
) -> CaptionRecord:
    """The record that the run ends with: a final one, or a deferred one that is tried again.

    `record` is the claimed one, `made` how its texts come to be if this run makes them.
    """
    error = result.error
    if isinstance(error, ServiceDeferred):
        waited = _same_wait(record.error, error)
        since = waiting_since(error, waited.since if waited else None, now)
        if not is_hopeless(error, since, now):
            attempts = waited.attempts + 1 if waited else 1
            return _put_off(record, error, attempts, since, run, now, uniform)
        if not isinstance(error, BlobRefused):
            error = GaveUp(error, now - since)
    if made.afresh:
        ids = dict.fromkeys([made.afresh, *record.answered])
        record = replace(record, answered=tuple(ids)[:MOST_ANSWERED])
    if error and has_model_text(record):
        return _refused(record, error, made, now)
    known = record
    made = replace(made, edited_by_human=known.provenance.edited_by_human)
    record = replace(record, provenance=made, usage=result.usage, claim=None, updated=now)
    if error:
        return _refused(record, error, Provenance(), now)
    if result.answers is None:
        return record
    captioned = _with_support(_captioned(record, result.answers), result)
    return kept(replace(captioned, tags=vocabulary.normalised(captioned.tags)), known)


def outranks(saved: CaptionRecord, ours: CaptionRecord) -> bool:
    """Whether another run of the same upload has already ended better than this one."""
    same = saved.image.etag == ours.image.etag
    is_new = saved.status == "captioned" and saved.error is None
    return same and (is_new or ours.status == "deferred")


def _captioned(record: CaptionRecord, answers: Answers) -> CaptionRecord:
    analysis, captioning = answers.analysis, answers.captioning
    main = next(iter(captioning.texts), None)
    words = captioning.texts[main] if main else None
    notes = [note for note in (captioning.note, doubt(record, captioning, analysis)) if note]
    return replace(
        record,
        status="captioned",
        review="needed" if words is None or notes or (analysis and analysis.adult) else "none",
        language=main,
        caption=words.caption if words else None,
        alt_text=words.alt_text if words else None,
        decorative=captioning.decorative,
        description=(words.description or None) if words else None,
        note=" ".join(notes) or None,
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
    """The record with its support. Only texts of the model are doubted: if a person wrote one of
    those that support judges, the record needs no review for it."""
    is_doubtful = result.is_doubtful and not JUDGED.intersection(record.provenance.edited_by_human)
    review = "needed" if is_doubtful else record.review
    return replace(record, support=result.support, review=review)


def _refused(
    record: CaptionRecord, error: CaptioningError, asked: Provenance, now: datetime
) -> CaptionRecord:
    """The record that ends with an error. `asked` is how services were called, for an error beside
    an earlier caption; the record itself says so otherwise."""
    attempts = record.error.attempts + 1 if record.error else 1
    failure = RecordError(
        error.code, error.message, attempts, fingerprint=asked.fingerprint, afresh=asked.afresh
    )
    return after_failure(record, failure, is_rejected=isinstance(error, ImageRejected), now=now)


def _same_wait(before: RecordError | None, error: ServiceDeferred) -> RecordError | None:
    """What the record has waited for, where it still waits for that. An image that waited for days
    to be rehydrated has not waited for the services: they have their own day, and it its days."""
    was_refused = before is not None and before.code in {BlobArchived.code, BlobUnreadable.code}
    return before if was_refused == isinstance(error, BlobRefused) else None


def _put_off(
    record: CaptionRecord,
    error: ServiceDeferred,
    attempts: int,
    since: datetime,
    run: str,
    now: datetime,
    uniform: Callable[[float, float], float],
) -> CaptionRecord:
    until = now + timedelta(seconds=delay(error, attempts, uniform))
    return replace(
        record,
        status="deferred",
        claim=Claim(run, until),
        error=RecordError(error.code, error.message, attempts, until, since),
        updated=now,
    )
