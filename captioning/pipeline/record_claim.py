"""A run's hold on a record. Others may take it over, and people may write into it meanwhile."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from captioning.domain.record import CaptionRecord, StoredRecord
from captioning.errors import RecordChanged, StorageUnavailable
from captioning.pipeline.transitions import outranks
from captioning.ports import BlobReader, RecordWriter
from captioning.records.edits import kept


class RecordClaim:
    """A record as the run has claimed it."""

    def __init__(self, claimed: StoredRecord, catalog: RecordWriter, images: BlobReader) -> None:
        self.record = claimed.record
        self._claimed = claimed
        self._catalog = catalog
        self._images = images

    def save(self, record: CaptionRecord) -> CaptionRecord | None:
        """What the run ended with, saved with what people wrote meanwhile; or another run's
        record, where that has the word: of a newer upload, or of this one with a better end."""
        previous: StoredRecord | None = self._claimed
        while True:
            try:
                self._catalog.save(record, previous)
            except RecordChanged:
                previous = self._catalog.get(record.path)
                found = previous.record if previous else None
                if found and found.image.etag == record.image.etag:
                    if not self._is_held(found) and outranks(found, record):
                        return found
                    record = kept(record, found)
                elif self._images.describe(record.path).etag != record.image.etag:
                    return found
            else:
                return record

    def release(self) -> None:
        """Gives the claim up, for the next try; another's record is left alone."""
        held: StoredRecord | None = self._claimed
        with suppress(StorageUnavailable):
            while held and self._is_held(held.record):
                try:
                    self._catalog.save(replace(held.record, claim=None), held)
                except RecordChanged:
                    held = self._catalog.get(self.record.path)
                else:
                    return

    def _is_held(self, found: CaptionRecord) -> bool:
        """Whether the record is still as this run claimed it, but for what people wrote."""
        return found.status == "processing" and found.claim == self.record.claim


def is_same(saved: CaptionRecord | None, ended: CaptionRecord) -> bool:
    """Whether the saved record is what this run ended with, but for what people wrote."""
    return saved is not None and kept(ended, saved) == saved
