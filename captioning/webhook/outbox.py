"""Saying that an image comes to an end, before its record does.

Whoever ends images saves their records here: no record becomes final without a notice on the queue.
A notice whose save never came is no harm: it is looked into.
"""

from __future__ import annotations

from typing import Protocol

from captioning.domain.messages import Notice
from captioning.domain.record import FINAL, CaptionRecord, StoredRecord

FIRST_LOOK = 2.0
"""Seconds after which a notice is looked into first: the save is done by then as a rule."""


class Catalog(Protocol):
    """Where records are kept."""

    def get(self, path: str) -> StoredRecord | None: ...
    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord: ...
    def remove(self, stored: StoredRecord) -> None: ...


class Notices(Protocol):
    """Where notices wait."""

    def put(self, wake: Notice, delay: float) -> None: ...


class AnnouncingCatalog:
    """A catalogue that puts a notice by whenever it is to save a final record."""

    def __init__(self, catalog: Catalog, notices: Notices) -> None:
        self.get, self.remove = catalog.get, catalog.remove
        self._save = catalog.save
        self._notices = notices

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        """Replaces `previous`; RecordChanged when it is not the latest, and StorageUnavailable,
        with nothing saved, where the notice cannot be put by."""
        if record.status in FINAL:
            self._notices.put(Notice(record.path, record.updated), FIRST_LOOK)
        return self._save(record, previous)
