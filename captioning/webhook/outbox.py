"""Queues a message for the webhook before a final record is saved, or a record removed.

Everything that ends images saves their records by an OutboxCatalog, so that no record becomes final
without a message on the queue. A message whose save was never made does no harm: the sender reads
the record first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from captioning.domain.messages import NotificationMessage
from captioning.domain.record import FINAL, CaptionRecord, StoredRecord
from captioning.ports import MessageQueue, RecordWriter

FIRST_LOOK = 2.0
"""Seconds until the sender reads the record first; as a rule the save is done by then."""


class OutboxCatalog:
    """A catalogue that sends a message whenever it is about to save a final record, or to remove
    one."""

    def __init__(
        self,
        catalog: RecordWriter,
        queue: MessageQueue[NotificationMessage],
        now: Callable[[], datetime],
    ) -> None:
        self.get, self.get_by_id = catalog.get, catalog.get_by_id
        self._remove = catalog.remove
        self._save = catalog.save
        self._queue = queue
        self._now = now

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        """Replaces `previous`, or creates the record if it is None.

        RecordChanged if another version is there; StorageUnavailable, with nothing saved, if the
        message cannot be sent.
        """
        # The message is sent before the save. After a crash in between, the sender finds no final
        # record and drops it; in the other order, the receiver would never hear of the record.
        if record.status in FINAL:
            self._queue.put(NotificationMessage(record.path, record.updated), FIRST_LOOK)
        return self._save(record, previous)

    def remove(self, stored: StoredRecord) -> None:
        """Removes this version; RecordChanged and StorageUnavailable as for `save`."""
        # Before the removal, for the same reason.
        gone = NotificationMessage(stored.record.path, self._now(), is_deleted=True)
        self._queue.put(gone, FIRST_LOOK)
        self._remove(stored)
