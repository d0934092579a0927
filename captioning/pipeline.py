"""The pipeline: what happens to one image. No SDK is known here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from captioning.errors import (
    BadResponse,
    BlobChanged,
    BlobGone,
    ImageRejected,
    ImageTooLarge,
    RecordChanged,
    ServiceDeferred,
)
from captioning.models import FINAL, BlobDescription, CaptionRecord, StoredRecord
from captioning.outcome import (
    InspectedPicture,
    begun,
    captioned,
    same_content,
    why,
    with_picture,
)
from captioning.providers import Providers

OVERWRITES = 5
"""How often a run starts again because the blob was overwritten under it."""


class Images(Protocol):
    """Where the images are."""

    def describe(self, path: str) -> BlobDescription:
        """Size, ETag and time of a blob; BlobGone when there is none."""

    def read(self, blob: BlobDescription) -> bytes:
        """The described content; BlobChanged or BlobGone when it is not there any more."""


class Catalog(Protocol):
    """Where records are kept."""

    def get(self, path: str) -> StoredRecord | None:
        """The record of a blob."""

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> str:
        """Replaces `previous`; RecordChanged when it is not the latest."""


class CaptionPipeline:
    """Captions one blob at a time; safe to share between threads."""

    def __init__(
        self,
        *,
        images: Images,
        inspect: Callable[[bytes], InspectedPicture],
        providers: Providers,
        catalog: Catalog,
        max_image_bytes: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._images = images
        self._inspect = inspect
        self._providers = providers
        self._catalog = catalog
        self._max_image_bytes = max_image_bytes
        self._now = now
        self._stopwatch = stopwatch

    def process(self, path: str) -> CaptionRecord | None:
        """Captions the blob as it is now and returns its record; None when it is gone.

        What is at fault in the image is recorded and does not raise. ServiceDeferred raises after
        the record says why. A blob whose record is final for this content is left alone.
        """
        for _ in range(OVERWRITES):
            try:
                return self._process_once(path)
            except BlobGone:
                return None
            except BlobChanged as error:
                changed = error
        raise changed

    def _process_once(self, path: str) -> CaptionRecord:
        previous = self._catalog.get(path)  # before the blob: what is saved later is noticed
        blob = self._images.describe(path)
        if previous and self._is_settled(previous.record, blob):
            return previous.record
        record, deferred = self._run(blob, previous)
        saved = self._save(record, previous)
        if deferred and saved.status == "deferred":
            raise deferred
        return saved

    def _is_settled(self, record: CaptionRecord, blob: BlobDescription) -> bool:
        return (
            record.image.etag == blob.etag
            and record.status in FINAL
            and record.provenance.fingerprint == self._providers.fingerprint
        )

    def _run(
        self, blob: BlobDescription, previous: StoredRecord | None
    ) -> tuple[CaptionRecord, ServiceDeferred | None]:
        """The record that the run ends with, and the error to raise once it is saved."""
        started = self._stopwatch()
        record = begun(blob, self._now(), previous, self._providers)
        try:
            picture = self._picture(blob)
            record = replace(record, image=with_picture(record.image, picture))
            record = captioned(record, self._providers.ask(picture))
        except ImageRejected as error:
            record = replace(record, status="rejected", error=why(error, previous, blob))
        except BadResponse as error:
            record = replace(record, status="failed", error=why(error, previous, blob))
        except ServiceDeferred as error:
            kept = same_content(previous, blob) or record
            return replace(
                kept, status="deferred", updated=self._now(), error=why(error, previous, blob)
            ), error
        return replace(record, updated=self._now(), seconds=self._stopwatch() - started), None

    def _picture(self, blob: BlobDescription) -> InspectedPicture:
        if blob.bytes > self._max_image_bytes:
            raise ImageTooLarge(
                f"The blob has {blob.bytes:,} bytes; MAX_IMAGE_BYTES is "
                f"{self._max_image_bytes:,}. Upload a smaller version or raise the limit."
            )
        return self._inspect(self._images.read(blob))

    def _save(self, record: CaptionRecord, previous: StoredRecord | None) -> CaptionRecord:
        """Saves unless the blob is a newer one by now: then that upload's own run has the word."""
        while True:
            try:
                self._catalog.save(record, previous)
            except RecordChanged:
                previous = self._catalog.get(record.path)
                if self._images.describe(record.path).etag != record.image.etag:
                    raise BlobChanged(record.path) from None
                if previous and self._outranks(previous.record, record):
                    return previous.record
            else:
                return record

    @staticmethod
    def _outranks(saved: CaptionRecord, ours: CaptionRecord) -> bool:
        """Whether somebody else's run of the same content has already ended better than ours."""
        same = saved.image.etag == ours.image.etag
        return same and (saved.status == "captioned" or ours.status == "deferred")
