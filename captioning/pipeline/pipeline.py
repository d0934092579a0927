"""The pipeline: what happens to one image. It uses ports only, no SDK."""

from __future__ import annotations

import hashlib
import itertools
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from captioning.budget.ledger import Ledger
from captioning.domain.blobs import BlobDescription, ignoring_pattern
from captioning.domain.messages import CaptionMessage, Source
from captioning.domain.record import (
    FINAL,
    CaptionRecord,
    Claim,
    Provenance,
    Status,
    StoredRecord,
    record_id,
)
from captioning.errors import (
    BlobChanged,
    BlobGone,
    BlobRefused,
    CrashedTooOften,
    ImageRejected,
    ImageTooLarge,
    RecordChanged,
    ServiceUnavailable,
    StorageUnavailable,
)
from captioning.pipeline import transitions
from captioning.pipeline.record_claim import RecordClaim, is_same
from captioning.pipeline.transitions import Standing, has_waited, standing, with_picture
from captioning.ports import BlobReader, MessageQueue, RecordWriter
from captioning.providers import Picture
from captioning.records.edits import may_be_same, with_etag_of, with_returned
from captioning.records.tag_vocabulary import NO_VOCABULARY, Vocabulary
from captioning.resilience.backoff import storage_pause
from captioning.resilience.blob_events import BlobEvents
from captioning.resilience.optimistic import until_saved
from captioning.reuse.cache import CaptionCache, Result
from captioning.support.score import SupportScorer
from captioning.telemetry import log_image, span

MOST_CRASHES = 5
"""Runs of one upload that may end without a trace: as often as the host tries an event."""
OVERWRITES = 5
"""Attempts of a delivery at a blob or record that keeps changing meanwhile."""

log = logging.getLogger("captioning.pipeline")


class CaptionPipeline:
    """Captions one blob at a time; safe to share between threads.

    `inspect` decodes the bytes of a blob, and raises ImageRejected or ServiceUnavailable. `forget`
    removes the record of a blob that is gone. `quiet` saves what is no news for the webhook. Files
    that match `ignore` get no record. `events` notes which images came by an event. A run is named
    in its claims by `worker`, the process, and a number; `lease` is how long a claim lasts.
    """

    def __init__(
        self,
        *,
        images: BlobReader,
        inspect: Callable[[bytes], Picture],
        cache: CaptionCache,
        scorer: SupportScorer,
        catalog: RecordWriter,
        queue: MessageQueue[CaptionMessage],
        ledger: Ledger,
        forget: Callable[[str], object],
        max_image_bytes: int,
        worker: str,
        lease: timedelta,
        quiet: RecordWriter | None = None,
        ignore: Sequence[str] = (),
        events: BlobEvents | None = None,
        vocabulary: Vocabulary = NO_VOCABULARY,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        stopwatch: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._images = images
        self._inspect = inspect
        self._cache = cache
        self._scorer = scorer
        self._catalog = catalog
        self._quiet = quiet or catalog
        self._queue = queue
        self._ledger = ledger
        self._forget = forget
        self._max_image_bytes = max_image_bytes
        self._worker, self._numbers = worker, itertools.count(1)
        self._lease = lease
        self._ignore = ignore
        self._events = events
        self._vocabulary = vocabulary
        self._now = now
        self._stopwatch = stopwatch
        self._uniform = uniform

    def process(self, message: CaptionMessage) -> CaptionRecord | None:
        """Captions the blob as it is now, and returns its record as it is then; None without one.

        An error of the image or of a service is recorded and not raised. When storage fails the
        image is put back on the queue, for longer each time, and None returned; StorageUnavailable
        if that fails too.
        """
        try:
            return self._process(message, f"{self._worker}/{next(self._numbers)}")
        except StorageUnavailable as error:
            failures = message.attempts + 1
            log.warning(
                "Storage fails, image %s is put off after attempt %d: %s",
                record_id(message.path),
                failures,
                error.message,
            )
            # Without its ticket, the message is valid whatever became of the claim it was sent for.
            again = replace(message, ticket=None, attempts=failures)
            self._queue.put(again, storage_pause(failures, self._uniform))
            return None

    def _process(self, message: CaptionMessage, run: str) -> CaptionRecord | None:
        def attempt() -> CaptionRecord | None:
            # The record is read before the blob, so that the conditional save notices a record
            # which another run has saved for a newer upload.
            previous = self._catalog.get(message.path)
            # A record from before the pattern was set is kept up as before.
            if previous is None and ignoring_pattern(message.path, self._ignore):
                return None
            try:
                blob = self._images.describe(message.path)
                if previous is None and blob.is_folder:
                    return None
                return self._deliver(message, run, blob, previous)
            except BlobGone:
                self._forget(message.path)
                return None

        return until_saved(attempt, OVERWRITES, conflicts=(BlobChanged, RecordChanged))

    def _deliver(
        self,
        message: CaptionMessage,
        run: str,
        blob: BlobDescription,
        previous: StoredRecord | None,
    ) -> CaptionRecord | None:
        """Claims the record and runs, if there is something to do; else returns what is there."""
        data: bytes | None = None
        if previous and may_be_same(previous.record, blob):
            with suppress(BlobRefused):  # bytes that cannot be compared count as others
                data = self._read(blob)
                previous = self._with_etag_of(previous, blob, data)
        known = previous.record if previous else None
        if self._events:
            self._events.delivered(message, blob, known)
        found = standing(
            known,
            blob,
            message,
            run=run,
            fingerprint=self._cache.fingerprint,
            vocabulary=self._vocabulary.digest,
            lease=self._lease,
            now=self._now(),
        )
        if known and found is not Standing.FREE:
            if found is Standing.BUSY:  # in case the other run has died
                self._call_back(message, self._plausible(known), 1.0, message.source)
            return known
        waited = known is not None and has_waited(known, message, self._lease, self._now())
        record = transitions.claimed(
            known, blob, Claim(run, self._now() + self._lease), self._now()
        )
        claim = RecordClaim(self._catalog.save(record, previous), self._catalog, self._images)
        if self._events:
            is_new = known is None or known.image.etag != blob.etag
            self._events.claimed(message, record, is_new=is_new)
        try:
            return self._run(claim, blob, message, run, data, has_waited=waited)
        except Exception:
            claim.release()
            raise

    def _with_etag_of(
        self, stored: StoredRecord, blob: BlobDescription, data: bytes
    ) -> StoredRecord:
        """The record, which takes over the blob's ETag where only that has changed."""
        record = with_etag_of(stored.record, blob, data)
        if record == stored.record:
            return stored
        # All else stays, so that whoever has the claim goes on with the image.
        return self._quiet.save(record, stored)

    def _plausible(self, known: CaptionRecord) -> Claim | None:
        """The record's claim, which ends after a lease at the latest if a run has it."""
        claim = known.claim
        if claim is None or known.status != "processing":
            return claim
        return replace(claim, until=min(claim.until, self._now() + self._lease))

    def _run(
        self,
        claim: RecordClaim,
        blob: BlobDescription,
        message: CaptionMessage,
        run: str,
        data: bytes | None,
        *,
        has_waited: bool,
    ) -> CaptionRecord | None:
        started = self._stopwatch()
        with span("caption_image") as current:
            record, result = self._examine(
                claim.record, blob, message, run, data, has_waited=has_waited
            )
            made = self._provenance(message, result)
            ended = transitions.ended(
                record, result, made, run, self._now(), self._uniform, self._vocabulary
            )
            saved: CaptionRecord | None = None
            try:
                if ended.status in FINAL:
                    ended = replace(ended, seconds=self._stopwatch() - started)
                else:
                    self._defer(ended, claim, message)
                with span("save"):
                    saved = claim.save(ended)
            finally:
                # After the save, which decides whether the image counts for this run. What was
                # paid counts whatever becomes of the save.
                self._count(result, ended.status if is_same(saved, ended) else None)
            if is_same(saved, ended):
                current.set_attribute("captioning.status", ended.status)
                log_image(ended, self._stopwatch() - started)
        return saved

    def _examine(
        self,
        record: CaptionRecord,
        blob: BlobDescription,
        message: CaptionMessage,
        run: str,
        data: bytes | None,
        *,
        has_waited: bool,
    ) -> tuple[CaptionRecord, Result]:
        """The claimed record with what is known of the picture, and what the services said."""
        if record.claim and record.claim.crashes >= MOST_CRASHES:
            return record, Result(error=CrashedTooOften(MOST_CRASHES))
        try:
            self._check_size(blob)
            data = data if data is not None else self._read(blob)
        except (ImageTooLarge, BlobRefused) as error:
            return record, Result(error=error)
        try:
            picture = self._inspect(data)
        except ImageRejected as error:
            # The bytes of what is no image are known, too: edits are about them.
            digest = hashlib.sha256(data).hexdigest()
            image = replace(record.image, sha256=digest)
            return with_returned(replace(record, image=image)), Result(error=error)
        except ServiceUnavailable as error:  # no helper is free, or none starts
            return record, Result(error=error)
        record = with_returned(replace(record, image=with_picture(record.image, picture)))
        # Its time is that of the upload, whatever has been changed about the blob since.
        blob = replace(blob, modified=record.image.modified)
        result = self._cache.caption(
            picture, blob, run=run, afresh=message.afresh, has_waited=has_waited
        )
        return record, self._with_support(result)

    def _check_size(self, blob: BlobDescription) -> None:
        if blob.bytes > self._max_image_bytes:
            raise ImageTooLarge(
                f"The blob has {blob.bytes:,} bytes; MAX_IMAGE_BYTES is "
                f"{self._max_image_bytes:,}. Upload a smaller version or raise the limit."
            )

    def _read(self, blob: BlobDescription) -> bytes:
        with span("download"):
            return self._images.read(blob)

    def _with_support(self, result: Result) -> Result:
        """The result with its support, which is worked out for reused answers too: the scorer may
        have changed since."""
        answers = result.answers
        if answers is None or answers.captioning.decorative or not answers.captioning.texts:
            return result
        language, text = next(iter(answers.captioning.texts.items()))
        support = self._scorer.support(text, language, answers.analysis)
        return replace(result, support=support, is_doubtful=self._scorer.doubts(support))

    def _provenance(self, message: CaptionMessage, result: Result) -> Provenance:
        """How a record that ends now came to be, except for what the answers say about that."""
        return Provenance(
            input=self._cache.input,
            fingerprint=self._cache.fingerprint,
            reused_from=result.reused_from,
            burst=result.burst,
            afresh=message.afresh,
            vocabulary=self._vocabulary.digest,
        )

    def _defer(self, ended: CaptionRecord, claim: RecordClaim, message: CaptionMessage) -> None:
        """Queues the image for when its claim ends.

        The message is sent before the record says that there is one. After a crash in between, the
        message still brings the image back; in the other order, nothing would until `reconcile`.
        When the queue fails, the record is saved all the same, and the host tries the event again.
        """
        try:
            self._call_back(message, ended.claim)
        except StorageUnavailable:
            claim.save(ended)
            raise

    def _call_back(
        self,
        message: CaptionMessage,
        claim: Claim | None,
        margin: float = 0.0,
        source: Source | None = None,
    ) -> None:
        """Sends a message that becomes visible `margin` seconds after the claim ends."""
        if claim:
            left = (claim.until - self._now()).total_seconds()
            again = CaptionMessage(
                message.path, claim.worker, message.afresh, message.renew, source=source
            )
            self._queue.put(again, left + margin)

    def _count(self, result: Result, status: Status | None) -> None:
        reused = result.saved if status else None
        try:
            self._ledger.add(
                result.spent,
                status=status,
                reused=reused is not None,
                reused_usd=reused.usd if reused else None,
                burst=reused is not None and result.burst,
            )
        except StorageUnavailable as error:
            log.warning("Usage is written later: %s", error.message)
