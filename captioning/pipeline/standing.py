"""How an image stands when something asks for it: free to take, in other hands, or done."""

from __future__ import annotations

from datetime import datetime
from enum import Enum, auto

from captioning.domain.messages import Wake
from captioning.domain.record import FINAL, CaptionRecord
from captioning.domain.stored import BlobDescription
from captioning.records.tag_vocabulary import has_other_tags


class Standing(Enum):
    """What a delivery finds."""

    FREE = auto()
    """Nobody is at it: take it."""
    BUSY = auto()
    """A claim is running: look again when it ends."""
    SETTLED = auto()
    """Nothing is left to do, or another message is there to see to it."""


def standing(
    record: CaptionRecord | None,
    blob: BlobDescription,
    wake: Wake,
    *,
    run: str,
    fingerprint: str,
    vocabulary: str | None,
    now: datetime,
) -> Standing:
    """How the blob stands for this run. A newer upload is free whatever the older one's claim."""
    if record is None or record.image.etag != blob.etag:
        return Standing.FREE
    if record.status in FINAL:
        if has_other_tags(record, fingerprint, vocabulary):
            return Standing.FREE
        return Standing.SETTLED if _is_answered(record, wake, fingerprint) else Standing.FREE
    claim = record.claim
    if claim is None or claim.until <= now or claim.worker == run:
        return Standing.FREE
    if record.status == "processing":
        return Standing.BUSY  # whoever asks: it may be the message of a run that was killed
    if wake.afresh or wake.ticket == claim.worker:
        return Standing.FREE
    return Standing.BUSY if wake.ticket is None else Standing.SETTLED  # it has its own message


def _is_answered(record: CaptionRecord, wake: Wake, fingerprint: str) -> bool:
    """By its texts, or by the error beside them."""
    made, error = record.provenance, record.error
    if wake.afresh:
        return made.afresh == wake.afresh or (error is not None and error.afresh == wake.afresh)
    if made.reverted or (error and error.fingerprint == fingerprint):
        return True
    return made.fingerprint in {None, fingerprint}  # None: given up before anybody was asked
