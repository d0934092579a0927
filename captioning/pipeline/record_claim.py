"""A run's claim on a record. Another run may take it over, and people may edit it meanwhile."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from captioning.domain.record import CaptionRecord, StoredRecord
from captioning.errors import RecordChanged, StorageUnavailable
from captioning.pipeline.transitions import outranks
from captioning.ports import BlobReader, RecordWriter
from captioning.records.edits import kept, replacing
from captioning.resilience.optimistic import until_saved


class RecordClaim:
    """A record as the run has claimed it."""

    def __init__(self, claimed: StoredRecord, catalog: RecordWriter, images: BlobReader) -> None:
        self.record = claimed.record
        self._claimed = claimed
        self._catalog = catalog
        self._images = images

    def save(self, record: CaptionRecord) -> CaptionRecord | None:
        """Saves the record that the run ends with, and returns it with what people wrote meanwhile.

        Returns another run's record instead if that one stays: the record of a newer upload (None
        without one), or one of this upload that ended better.
        """
        try:
            # As a rule the claimed version is still the latest one, so nothing is read first.
            self._catalog.save(record, self._claimed)
        except RecordChanged:
            return until_saved(lambda: self._save_over(record))
        return record

    def release(self) -> None:
        """Gives the claim up, so that the next run need not wait for its end. Another run's claim
        stays; when storage fails, this one runs out by itself."""
        with suppress(StorageUnavailable):
            try:
                self._free(self._claimed)
            except RecordChanged:
                until_saved(lambda: self._free(self._catalog.get(self.record.path)))

    def _save_over(self, record: CaptionRecord) -> CaptionRecord | None:
        """One attempt to save over the version that is there now."""
        previous = self._catalog.get(record.path)
        found = previous.record if previous else None
        if found and found.status == "unreadable":
            return found
        if found and self._is_held(found):
            # A change that left the bytes as they were may have given them another ETag.
            record = replace(record, image=replace(record.image, etag=found.image.etag))
        if found and found.image.etag == record.image.etag:
            if not self._is_held(found) and outranks(found, record):
                return found
            record = kept(record, found)
        # The record is gone, or of another upload. If the blob is no longer this run's, its own run
        # writes the record; if it is, the record is older and is replaced.
        elif self._images.describe(record.path).etag != record.image.etag:
            return found
        elif found:
            record = replacing(record, found)
        self._catalog.save(record, previous)
        return record

    def _free(self, held: StoredRecord | None) -> None:
        if held and self._is_held(held.record):
            self._catalog.save(replace(held.record, claim=None), held)

    def _is_held(self, found: CaptionRecord) -> bool:
        """Whether the record is still as this run claimed it, except for what people wrote."""
        return found.status == "processing" and found.claim == self.record.claim


def is_same(saved: CaptionRecord | None, ended: CaptionRecord) -> bool:
    """Whether the saved record is what this run ended with, except for what people wrote."""
    if saved is None or saved.status == "unreadable":
        return False
    return kept(ended, saved) == saved
