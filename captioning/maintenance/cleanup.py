"""Removes the records of deleted blobs, and records the images that the host gave up on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial

from captioning.domain.blobs import BlobDescription, is_ignored
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import FINAL, CaptionRecord, RecordError
from captioning.errors import BlobGone, BlobRefused
from captioning.ports import BlobReader, MessageQueue, RecordTrash, RecordWriter, ThumbnailStore
from captioning.records.edits import may_be_same, record_of, with_etag_of
from captioning.records.history import after_failure
from captioning.records.written import has_human_text
from captioning.resilience.backoff import GIVE_UP, storage_pause
from captioning.resilience.optimistic import until_saved
from captioning.telemetry import log_image

MOST_REMINDERS = 5
"""Messages in a row on which the host gives up, until the time since the image was due counts."""


class RecordCleanup:
    """Brings records in line with deletions and poison messages. These may arrive late, twice or
    out of order, so each is checked against the blob as it is now. `is_own` says whether the
    records are known to be about this container; records with what people wrote go to the `trash`.
    """

    def __init__(
        self,
        images: BlobReader,
        catalog: RecordWriter,
        thumbnails: ThumbnailStore,
        deferrals: MessageQueue[CaptionMessage],
        now: Callable[[], datetime],
        ignore: Sequence[str] = (),
        is_own: Callable[[], bool] = lambda: True,
        trash: RecordTrash | None = None,
    ) -> None:
        self._trash = trash
        self._images = images
        self._catalog = catalog
        self._thumbnails = thumbnails
        self._deferrals = deferrals
        self._now = now
        self._ignore = ignore
        self._is_own = is_own

    def forget(self, path: str) -> bool:
        """Removes thumbnails, record and index rows of a blob that does not exist; True where there
        was a record. A blob that has been uploaded again keeps them."""
        return until_saved(partial(self._forget, path))

    def forget_record(self, identity: str) -> bool:
        """Removes record and index rows of an image that the record does not name any more; True
        where there was one."""

        def attempt() -> bool:
            stored = self._catalog.get_by_id(identity)
            if stored:
                self._catalog.remove(stored)
            return stored is not None

        return until_saved(attempt)

    def missing(self, path: str) -> bool:
        """Forgets the image of a message that found no blob, though nobody said that it was
        deleted. `reconcile` decides where the records may be about another container: a wrong
        IMAGES_CONTAINER must not remove them."""
        return self._is_own() and self.forget(path)

    def poisoned(self, path: str, attempts: int = 0) -> CaptionRecord | None:
        """Records that the host gave up on an image, for which `attempts` were noted before; the
        record, where it is `failed` now.

        An image that waits or that a run has claimed is left alone: a message is sent for when the
        claim ends, unless the host has given up on it for a day since."""
        failed = until_saved(partial(self._fail, path, attempts))
        if failed:
            log_image(failed, 0.0)
        return failed

    def _forget(self, path: str) -> bool:
        # The record is read before the blob. If the path is uploaded again after the look at the
        # blob, the new upload's run saves another version, and `remove` refuses the one read here.
        stored = self._catalog.get(path)
        if self._blob(path):
            return False
        # Thumbnails go before the record: after a crash in between, reconcile finds the record
        # and comes back to its path. Without a record nothing would lead to the thumbnails.
        self._thumbnails.prune(path, None)
        if stored is None:
            return False
        # Before the record goes: what people wrote is in one of the two places at any time.
        if self._trash and has_human_text(stored.record):
            self._trash.put(stored)
        self._catalog.remove(stored)
        return True

    def _fail(self, path: str, attempts: int) -> CaptionRecord | None:
        # The record is read before the blob, so that the save is refused where a run has recorded
        # a newer upload since.
        previous = self._catalog.get(path)
        blob = self._blob(path)
        if blob is None:
            self.missing(path)
            return None
        if previous is None and is_ignored(blob, self._ignore):
            return None
        if previous and previous.record.status == "unreadable":
            return None
        known = previous.record if previous else None
        if known and may_be_same(known, blob):
            with suppress(BlobRefused):  # the bytes cannot be compared: it may be another image
                known = with_etag_of(known, blob, self._images.read(blob))
        record = record_of(blob, known, self._now())
        if record.status in FINAL:
            return None
        if reminder := self._reminder(record, attempts + 1):
            self._deferrals.put(*reminder)
            return None
        failed = self._failed(record)
        self._catalog.save(failed, previous)
        return failed

    def _blob(self, path: str) -> BlobDescription | None:
        try:
            return self._images.describe(path)
        except BlobGone:
            return None

    def _reminder(
        self, record: CaptionRecord, attempts: int
    ) -> tuple[CaptionMessage, float] | None:
        """The message for an image that waits or that a run has claimed, and its delay in seconds;
        None where no claim is left and nothing is scheduled, or where runs have ended so for a
        day."""
        claim = record.claim
        left = (claim.until - self._now()).total_seconds() if claim else 0.0
        is_hopeless = attempts > MOST_REMINDERS and -left >= GIVE_UP.total_seconds()
        if left <= 0 and (record.status != "deferred" or is_hopeless):
            return None
        # Nothing has run where the wait is over: the next attempt may fail as this one did.
        pause = max(left, storage_pause(attempts, min) if left <= 0 and attempts > 1 else 0.0)
        ticket = claim.worker if claim else None
        return CaptionMessage(record.path, ticket, attempts=attempts), pause

    def _failed(self, record: CaptionRecord) -> CaptionRecord:
        error = RecordError(
            "poisoned",
            "The host gave up after all its attempts; the app's log says why. Fix the cause and run"
            " `python -m captioning reprocess --status failed`, or send POST /api/recaption/PATH.",
            attempts=record.error.attempts if record.error else 1,
        )
        return after_failure(record, error, is_rejected=False, now=self._now())
