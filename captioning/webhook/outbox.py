"""Saying that an image comes to an end, before its record does.

Whoever ends images saves their records here: no record becomes final without a notice on the queue.
A notice whose save never came is no harm: it is looked into.
"""

from __future__ import annotations

from captioning.domain.messages import NotificationMessage
from captioning.domain.record import FINAL, CaptionRecord, StoredRecord
from captioning.ports import MessageQueue, RecordWriter

FIRST_LOOK = 2.0
"""Seconds after which a notice is looked into first: the save is done by then as a rule."""


class OutboxCatalog:
    """A catalogue that puts a notice by whenever it is to save a final record."""

    def __init__(self, catalog: RecordWriter, queue: MessageQueue[NotificationMessage]) -> None:
        self.get, self.get_by_id = catalog.get, catalog.get_by_id
        self.remove = catalog.remove
        self._save = catalog.save
        self._queue = queue

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        """Replaces `previous`; RecordChanged when it is not the latest, and StorageUnavailable,
        with nothing saved, where the notice cannot be put by."""
        if record.status in FINAL:
            self._queue.put(NotificationMessage(record.path, record.updated), FIRST_LOOK)
        return self._save(record, previous)
