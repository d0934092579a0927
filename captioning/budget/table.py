"""Usage on Table Storage: PartitionKey is the day (`2026-11-22`), RowKey the worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import date

from captioning.budget.ledger import Tally
from captioning.storage.tables import Table

_COLUMNS = [column.name for column in fields(Tally)]


class UsageTable:
    """A row per day and worker. Only that worker writes it, so nothing is read first."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def save(self, day: date, worker: str, tally: Tally) -> None:
        """Writes a worker's row of a day."""
        self._table.upsert({"PartitionKey": day.isoformat(), "RowKey": worker, **asdict(tally)})

    def between(self, first: date, last: date) -> Iterator[tuple[date, str, Tally]]:
        """Every worker's row of every day from `first` to `last`, by day."""
        rows = self._table.between(first.isoformat(), last.isoformat())
        for row in rows:
            columns = {name: row[name] for name in _COLUMNS if name in row}
            yield date.fromisoformat(row["PartitionKey"]), row["RowKey"], Tally(**columns)
