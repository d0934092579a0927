"""Rows that cannot be read, because another program or a newer version wrote them.

They are skipped, and never without a trace: the log names each, and health its table, by a note in
`captionsstate` (PartitionKey `broken`, RowKey the table), as health is asked in another process.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from captioning.errors import StorageUnavailable
from captioning.storage.tables import Table

NOTE_EVERY = timedelta(minutes=10)
SHOWN_FOR = timedelta(hours=1)
"""Health names a table for so long after a broken row of it was met last."""
PARTITION, DOCUMENT = "broken", "document"
_MOST_KNOWN = 10_000

log = logging.getLogger("captioning.storage")

Skipped = Callable[[str, str, str], None]
"""Is told the table's name without its beginning, such as `usage`, and both keys of a row."""


def log_skipped(table: str, partition: str, row: str) -> None:
    """Writes the keys of a row to the log, and nothing of what is in it."""
    log.error("A row of %s cannot be read and is skipped: %r, %r", table, partition, row)


class BrokenRows:
    """Notes which tables have such rows; safe to share between threads. `skipped` never raises."""

    def __init__(self, table: Table, now: Callable[[], datetime]) -> None:
        self._table = table
        self._now = now
        self._lock = threading.Lock()
        self._told: dict[tuple[str, ...], datetime] = {}

    def skipped(self, table: str, partition: str, row: str) -> None:
        """Logs a row, once an hour, and notes its table, once in ten minutes."""
        if self._is_due((table, partition, row), SHOWN_FOR):
            log_skipped(table, partition, row)
        if self._is_due((table,), NOTE_EVERY):
            note = json.dumps({"at": self._now().isoformat()})
            with suppress(StorageUnavailable):
                self._table.upsert({"PartitionKey": PARTITION, "RowKey": table, DOCUMENT: note})

    def tables(self) -> list[str]:
        """The tables with such rows, as far as any process has met them within the hour.
        StorageUnavailable where that cannot be read."""
        found = self._table.page(PARTITION, "", "~", 100)
        return [str(row["RowKey"]) for row in found if self._is_recent(row.get(DOCUMENT))]

    def _is_recent(self, note: object) -> bool:
        try:
            return self._now() - datetime.fromisoformat(json.loads(str(note))["at"]) < SHOWN_FOR
        except (ValueError, TypeError, KeyError):
            return True  # the note itself is broken

    def _is_due(self, what: tuple[str, ...], every: timedelta) -> bool:
        now = self._now()
        with self._lock:
            if what in self._told and now - self._told[what] < every:
                return False
            if len(self._told) >= _MOST_KNOWN:
                self._told.clear()
            self._told[what] = now
            return True
