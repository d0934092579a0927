"""Records of deleted blobs are removed, and images that the host gave up are recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import FINAL, CaptionRecord, RecordError
from captioning.errors import BlobGone, RecordChanged
from captioning.ports import BlobReader, MessageQueue, RecordWriter, ThumbnailStore
from captioning.records.edits import record_of
from captioning.records.history import after_failure
from captioning.telemetry import log_image


class RecordCleanup:
    """Keeps records true to what is reported. Reports come late, twice and out of order, so that
    each is checked against the blob as it is now."""

    def __init__(
        self,
        images: BlobReader,
        catalog: RecordWriter,
        thumbnails: ThumbnailStore,
        deferrals: MessageQueue[CaptionMessage],
        now: Callable[[], datetime],
    ) -> None:
        self._images = images
        self._catalog = catalog
        self._thumbnails = thumbnails
        self._deferrals = deferrals
        self._now = now

    def forget(self, path: str) -> bool:
        """Removes thumbnails, record and rows of a blob that is not there (any more); whether there
        was a record. A blob that was uploaded again keeps them."""
        while True:
            stored = self._catalog.get(path)  # before the blob: what is saved later is noticed
            if self._blob(path):
                return False
            self._thumbnails.prune(path, None)  # before the record, which leads to them
            if stored is None:
                return False
            try:
                self._catalog.remove(stored)
            except RecordChanged:
                continue
            return True

    def poisoned(self, path: str) -> CaptionRecord | None:
        """Records that the host gave an image up, unless it waits or another run has it: then a
        message is sent for when that ends. The record, where it is `failed` now."""
        while True:
            previous = self._catalog.get(path)
            blob = self._blob(path)
            if blob is None:
                self.forget(path)
                return None
            known = previous.record if previous else None
            record = record_of(blob, known, self._now())
            if record.status in FINAL:
                return None
            if reminder := self._reminder(record):
                self._deferrals.put(*reminder)
                return None
            try:
                self._catalog.save(failed := self._failed(record), previous)
            except RecordChanged:
                continue
            log_image(failed, 0.0)
            return failed

    def _blob(self, path: str) -> BlobDescription | None:
        try:
            return self._images.describe(path)
        except BlobGone:
            return None

    def _reminder(self, record: CaptionRecord) -> tuple[CaptionMessage, float] | None:
        """The message, and its delay, for an image that waits or that a run has; None where nobody
        comes back to it."""
        claim = record.claim
        left = (claim.until - self._now()).total_seconds() if claim else 0.0
        if record.status != "deferred" and left <= 0:
            return None
        return CaptionMessage(record.path, ticket=claim.worker if claim else None), max(left, 0.0)

    def _failed(self, record: CaptionRecord) -> CaptionRecord:
        error = RecordError(
            "poisoned",
            "The host gave up after its attempts; the app's log says why. Mend that and run"
            " `python -m captioning reprocess --status failed`, or POST /api/recaption/ and the"
            " path.",
            attempts=record.error.attempts if record.error else 1,
        )
        return after_failure(record, error, is_rejected=False, now=self._now())
