"""Records that were removed, with what people wrote into them, in `captionstrash`.

PartitionKey is `trash`, RowKey the record's id and the time of the removal. The columns are those
that the record's own row had, so that what this version cannot read survives as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from captioning.domain.record import CaptionRecord, StoredRecord
from captioning.ports import Entity, EntityTable, Row, Write
from captioning.records.table import record_properties, stored_in

PARTITION = "trash"
KEPT = timedelta(days=30)
"""How long a removed record can be restored."""
PAGE = 500
_REMOVED = "removed_at"
_TIME = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, slots=True)
class Trashed:
    """A removed record. It is `unreadable` where this version cannot read it."""

    record: CaptionRecord
    removed: datetime
    key: str
    """Of its row."""

    @property
    def path(self) -> str:
        """The path of the image."""
        return self.record.path

    @property
    def until(self) -> datetime:
        """Until when it is kept."""
        return self.removed + KEPT


class Trash:
    """Removed records by id; safe to share between threads."""

    def __init__(self, table: EntityTable, now: Callable[[], datetime]) -> None:
        self._table = table
        self._now = now

    def put(self, stored: StoredRecord) -> None:
        """Keeps a record that is about to be removed. Repeated for the same version, it is kept
        once."""
        identity, removed = stored.record.id, self._now()
        if any(entry.record == stored.record for entry in self.of(identity)):
            return  # a removal that was broken off before
        columns = stored.columns or record_properties(stored.record, frozenset())
        keys = {"PartitionKey": PARTITION, "RowKey": f"{identity}~{removed.strftime(_TIME)}"}
        entity = {**columns, **keys, _REMOVED: removed.isoformat()}
        self._table.transact([Write("upsert", entity)])

    def of(self, identity: str) -> list[Trashed]:
        """The removed records with this id, the latest first."""
        rows = self._table.page(PARTITION, f"{identity}~", f"{identity}~~", PAGE)
        return [_trashed(row) for row in reversed(rows)]

    def all(self) -> Iterator[Trashed]:
        """Every removed record, by id, read as they are taken."""
        start = ""
        while rows := self._table.page(PARTITION, start, "~", PAGE):
            yield from (_trashed(row) for row in rows)
            start = f"{rows[-1]['RowKey']}!"

    def remove(self, entry: Trashed) -> None:
        """Ends the keeping of a record."""
        self._delete([entry.key])

    def purge(self, position: str | None) -> str | None:
        """Deletes what has been kept long enough of the rows from a position on; the next position,
        None at the end. Two requests."""
        rows = self._table.page(PARTITION, position or "", "~", PAGE, ["PartitionKey", "RowKey"])
        keys = [str(row["RowKey"]) for row in rows]
        latest = (self._now() - KEPT).strftime(_TIME)
        self._delete([key for key in keys if key.partition("~")[2] <= latest])
        return f"{keys[-1]}!" if len(keys) == PAGE else None

    def _delete(self, keys: list[str]) -> None:
        for key in keys:
            row = self._table.get(PARTITION, key)
            if row:
                keyed = {"PartitionKey": PARTITION, "RowKey": key}
                self._table.transact([Write("delete", keyed)])


def _trashed(row: Entity) -> Trashed:
    key = str(row["RowKey"])
    identity, _, at = key.partition("~")
    removed = datetime.strptime(at, _TIME).replace(tzinfo=UTC)
    columns = {name: value for name, value in row.items() if name != _REMOVED}
    stored = stored_in(Row(columns, "", removed), identity)
    return Trashed(stored.record, removed, key)
