"""Waiting for the captions of blobs that were dropped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from captioning.domain.record import FINAL, CaptionRecord
from captioning.domain.stored import BlobDescription, StoredRecord
from captioning.errors import BlobGone

POLL_SECONDS = 0.2


class Images(Protocol):
    """Where the images are."""

    def describe(self, path: str) -> BlobDescription: ...


class Records(Protocol):
    """Where their records are."""

    def get(self, path: str) -> StoredRecord | None: ...


def final_records(
    images: Images,
    records: Records,
    paths: Iterable[str],
    on_deferred: Callable[[CaptionRecord], None],
) -> Iterator[tuple[str, CaptionRecord | None]]:
    """Each path with the record that its blob, as it is by then, ends with; None for a blob that
    was deleted. However long it takes: a deferred one is told of once and waited for."""
    for path in paths:
        told = False
        while True:
            try:
                record = _record_of_blob(images, records, path)
            except BlobGone:
                yield path, None
                break
            if record and record.status in FINAL:
                yield path, record
                break
            if record and record.status == "deferred" and not told:
                on_deferred(record)
                told = True
            time.sleep(POLL_SECONDS)


def _record_of_blob(images: Images, records: Records, path: str) -> CaptionRecord | None:
    """The record, where it is of the content that the blob has now."""
    etag = images.describe(path).etag
    stored = records.get(path)
    return stored.record if stored and stored.record.image.etag == etag else None
