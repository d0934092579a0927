"""The pipeline: what happens to one image. No SDK is known here."""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import FINAL, CaptionRecord, Claim, Provenance, Status, StoredRecord
from captioning.errors import (
    BlobChanged,
    BlobGone,
    CrashedTooOften,
    ImageRejected,
    ImageTooLarge,
    RecordChanged,
    StorageUnavailable,
)
from captioning.pipeline import transitions
from captioning.pipeline.record_claim import RecordClaim, is_same
from captioning.pipeline.transitions import Standing, standing, with_picture
from captioning.ports import BlobReader, Ledger, MessageQueue, RecordWriter
from captioning.providers import InspectedPicture
from captioning.records.edits import with_carried
from captioning.records.tag_vocabulary import NO_VOCABULARY, Vocabulary
from captioning.reuse.cache import CaptionCache, Result
from captioning.support.score import SupportScorer
from captioning.telemetry import log_image, span

MOST_CRASHES = 5
"""Runs of one upload that may end without a trace: as often as the host tries an event."""


class Examiner:
    """From a claimed record to the services' answers; safe to share between threads."""

    def __init__(
        self,
        *,
        images: BlobReader,
        inspect: Callable[[bytes], InspectedPicture],
        cache: CaptionCache,
        scorer: SupportScorer,
        max_image_bytes: int,
        vocabulary: Vocabulary = NO_VOCABULARY,
    ) -> None:
        self._images = images
        self._inspect = inspect
        self._cache = cache
        self._scorer = scorer
        self._max_image_bytes = max_image_bytes
        self.fingerprint = cache.fingerprint
        self.vocabulary = vocabulary

    def examine(
        self, record: CaptionRecord, blob: BlobDescription, wake: CaptionMessage, run: str
    ) -> tuple[CaptionRecord, Result]:
        """The record with what is known of the picture, and what became of its content."""
        if record.claim and record.claim.crashes >= MOST_CRASHES:
            return record, Result(error=CrashedTooOften(MOST_CRASHES))
        try:
            picture = self._picture(blob)
        except ImageRejected as error:
            return record, Result(error=error)
        record = with_carried(replace(record, image=with_picture(record.image, picture)))
        result = self._cache.caption(picture, blob, run=run, afresh=wake.afresh)
        return record, self._judged(result)

    def provenance(self, wake: CaptionMessage, result: Result) -> Provenance:
        """How a record that ends now came to be, as far as it is not in the answers."""
        return Provenance(
            input=self._cache.input,
            fingerprint=self._cache.fingerprint,
            reused_from=result.reused_from,
            burst=result.burst,
            afresh=wake.afresh,
            vocabulary=self.vocabulary.digest,
        )

    def _judged(self, result: Result) -> Result:
        """The result with its support: worked out anew each time, also where answers are reused."""
        answers = result.answers
        if answers is None or answers.captioning.decorative or not answers.captioning.texts:
            return result
        language, text = next(iter(answers.captioning.texts.items()))
        support = self._scorer.support(text, language, answers.analysis)
        return replace(result, support=support, is_doubtful=self._scorer.doubts(support))

    def _picture(self, blob: BlobDescription) -> InspectedPicture:
        if blob.bytes > self._max_image_bytes:
            raise ImageTooLarge(
                f"The blob has {blob.bytes:,} bytes; MAX_IMAGE_BYTES is "
                f"{self._max_image_bytes:,}. Upload a smaller version or raise the limit."
            )
        with span("download"):
            data = self._images.read(blob)
        return self._inspect(data)


OVERWRITES = 5
"""How often a delivery starts again because the blob or its record changed under it."""
STORAGE_PAUSE = 15.0
"""Seconds, and up to twice that, until storage that failed is tried again."""
log = logging.getLogger(__name__)


class CaptionPipeline:
    """Captions one blob at a time; safe to share between threads.

    `worker` names the process; `forget` removes the record of a blob that is gone.
    """

    def __init__(
        self,
        *,
        images: BlobReader,
        examiner: Examiner,
        catalog: RecordWriter,
        queue: MessageQueue[CaptionMessage],
        ledger: Ledger,
        forget: Callable[[str], object],
        worker: str,
        lease: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        stopwatch: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._images = images
        self._examiner = examiner
        self._catalog = catalog
        self._queue = queue
        self._ledger = ledger
        self._forget = forget
        self._worker, self._numbers = worker, itertools.count(1)
        self._lease = lease
        self._now = now
        self._stopwatch = stopwatch
        self._uniform = uniform

    def process(self, wake: CaptionMessage) -> CaptionRecord | None:
        """Captions the blob as it is now; its record as it is then, None when there is none.

        What is at fault in the image or the moment is recorded and does not raise. When storage
        fails the image is put off, and None returned; StorageUnavailable where even that fails.
        """
        try:
            return self._process(wake, f"{self._worker}/{next(self._numbers)}")
        except StorageUnavailable as error:
            log.warning("Storage fails, an image is put off: %s", error.message)
            again = replace(wake, ticket=None)  # whatever became of the claim it was for
            self._queue.put(again, STORAGE_PAUSE * self._uniform(1, 2))
            return None

    def _process(self, wake: CaptionMessage, run: str) -> CaptionRecord | None:
        for _ in range(OVERWRITES):
            previous = self._catalog.get(wake.path)  # before the blob: what is saved later shows
            try:
                blob = self._images.describe(wake.path)
                return self._deliver(wake, run, blob, previous)
            except BlobGone:
                self._forget(wake.path)
                return None
            except (BlobChanged, RecordChanged) as error:
                changed = error
        raise changed

    def _deliver(
        self, wake: CaptionMessage, run: str, blob: BlobDescription, previous: StoredRecord | None
    ) -> CaptionRecord | None:
        known = previous.record if previous else None
        found = standing(
            known,
            blob,
            wake,
            run=run,
            fingerprint=self._examiner.fingerprint,
            vocabulary=self._examiner.vocabulary.digest,
            now=self._now(),
        )
        if known and found is not Standing.FREE:
            if found is Standing.BUSY:  # should the other run have died
                self._call_back(wake, known.claim, margin=1.0)
            return known
        record = transitions.claimed(
            known, blob, Claim(run, self._now() + self._lease), self._now()
        )
        hold = RecordClaim(self._catalog.save(record, previous), self._catalog, self._images)
        try:
            return self._run(hold, blob, wake, run)
        except Exception:
            hold.release()
            raise

    def _run(
        self, hold: RecordClaim, blob: BlobDescription, wake: CaptionMessage, run: str
    ) -> CaptionRecord | None:
        started = self._stopwatch()
        with span("caption_image") as current:
            record, result = self._examiner.examine(hold.record, blob, wake, run)
            made = self._examiner.provenance(wake, result)
            ended = transitions.ended(
                record, result, made, run, self._now(), self._uniform, self._examiner.vocabulary
            )
            saved: CaptionRecord | None = None
            try:
                if ended.status in FINAL:
                    ended = replace(ended, seconds=self._stopwatch() - started)
                else:
                    self._defer(ended, hold, wake)
                with span("save"):
                    saved = hold.save(ended)
            finally:
                self._count(result, ended.status if is_same(saved, ended) else None)
            if is_same(saved, ended):
                current.set_attribute("captioning.status", ended.status)
                log_image(ended, self._stopwatch() - started)
        return saved

    def _defer(self, ended: CaptionRecord, hold: RecordClaim, wake: CaptionMessage) -> None:
        """Sends the message before the record says that there is one. Where the queue fails, the
        record says so all the same: the host tries again, and reconcile looks after it."""
        try:
            self._call_back(wake, ended.claim)
        except StorageUnavailable:
            hold.save(ended)
            raise

    def _call_back(self, wake: CaptionMessage, claim: Claim | None, margin: float = 0.0) -> None:
        """A message for when the claim ends."""
        if claim:
            left = (claim.until - self._now()).total_seconds()
            self._queue.put(CaptionMessage(wake.path, claim.worker, wake.afresh), left + margin)

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
