"""Erasing an image: its blob, and every trace that the app keeps of it.

What stays elsewhere, and for how long, is listed in docs/operate.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from captioning.domain.record import CaptionRecord, StoredRecord, record_id
from captioning.errors import BlobGone
from captioning.maintenance.missing import MissingBlobs
from captioning.ports import ImageStore, RecordWriter, ThumbnailStore
from captioning.records.catalog import Catalog
from captioning.records.trash import Trash
from captioning.resilience.optimistic import until_saved


class Answers(Protocol):
    """The answers of services that are kept for the same bytes."""

    def erase(self, sha256: str, now: datetime, path: str | None = None) -> None:
        """Removes those about these bytes; only those paid for the image at `path` if it is given.
        Those that a run is paying for stay."""


class Frames(Protocol):
    """The sketches by which near-identical images are found."""

    def erase(self, record: CaptionRecord) -> None:
        """Removes that of the record's image."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """Erases images; safe to share between threads.

    Records are removed through `outbox`, which tells the webhook. `is_own` says whether the records
    are known to be about this container of images; `languages` are those of captions.
    """

    images: ImageStore
    catalog: Catalog
    outbox: RecordWriter
    thumbnails: ThumbnailStore
    trash: Trash
    missing: MissingBlobs
    answers: Answers
    frames: Frames
    is_own: Callable[[], bool]
    languages: tuple[str, ...]
    now: Callable[[], datetime]

    def erase(self, path: str, etag: str | None = None) -> bool:
        """Erases the image at this path; False where there was no blob. BlobChanged where the blob
        has another ETag than the one given. Repeated after a crash, it finishes."""
        # Read first: the event of the deleted blob may have the record removed before this does.
        known = self.catalog.get(path)
        # The blob goes before its record: without one it would be captioned again.
        try:
            self.images.delete(path, etag)
        except BlobGone:
            if self.is_own():  # what a broken-off erasure, or a deletion by others, has left
                self._forget(path, known)
            return False
        self._forget(path, known)
        return True

    def copies(self, path: str) -> Iterator[CaptionRecord]:
        """Every record that names this path as what its answers were paid for. It reads all
        records: those saved by earlier versions are in no index for it."""
        for record in self.catalog.walk():
            if path in _reused_from(record):
                yield record

    def forget_copy(self, copy: CaptionRecord, path: str) -> None:
        """Removes the path from the record of a copy, and from the answers kept for its bytes."""
        until_saved(partial(self._unname, copy.id, path))
        if copy.image.sha256:
            self.answers.erase(copy.image.sha256, self.now(), path)

    def _forget(self, path: str, known: StoredRecord | None) -> None:
        # The record leads to all the rest, so it goes last; without one the rest is what has the
        # path or its hash in the key.
        self.thumbnails.prune(path, None)
        self._empty_trash(path)
        self.missing.clear(path)
        for copy in self.catalog.copies_of(record_id(path)):
            self.forget_copy(copy, path)
        until_saved(partial(self._remove, path, known))
        # Once more: the event of the deleted blob may have come meanwhile.
        self._empty_trash(path)

    def _empty_trash(self, path: str) -> None:
        for entry in self.trash.of(record_id(path)):
            self._erase_answers(entry.record)
            self.trash.remove(entry)

    def _remove(self, path: str, known: StoredRecord | None) -> None:
        stored = self.catalog.get(path)
        if self._is_there_again(path):
            return
        for each in {one.etag: one for one in (known, stored) if one}.values():
            if each.record.status != "unreadable":
                self._erase_answers(each.record)
                self.catalog.unlearn(each.record, self.languages)
        if stored:
            self.outbox.remove(stored)

    def _erase_answers(self, record: CaptionRecord) -> None:
        known = {record.image.sha256, *(entry.sha256 for entry in record.history)}
        for sha256 in known - {None}:
            self.answers.erase(str(sha256), self.now())
        self.frames.erase(record)

    def _is_there_again(self, path: str) -> bool:
        try:
            self.images.describe(path)
        except BlobGone:
            return False
        return True

    def _unname(self, identity: str, path: str) -> None:
        stored = self.catalog.get_by_id(identity)
        if stored and path in _reused_from(stored.record):
            self.catalog.save(_without(stored, path), stored)


def _reused_from(record: CaptionRecord) -> set[Any]:
    earlier = record.previous.provenance.get("reused_from") if record.previous else None
    return {record.provenance.reused_from, earlier} - {None}


def _without(stored: StoredRecord, path: str) -> CaptionRecord:
    """The record that says that it was reused, and no longer from which image."""
    record, previous = stored.record, stored.record.previous
    if record.provenance.reused_from == path:
        record = replace(record, provenance=replace(record.provenance, reused_from=""))
    if previous and previous.provenance.get("reused_from") == path:
        earlier = replace(previous, provenance={**previous.provenance, "reused_from": ""})
        record = replace(record, previous=earlier)
    return record
