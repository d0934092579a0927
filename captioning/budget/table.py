"""Usage on Table Storage: PartitionKey is the day (`2026-11-22`), RowKey the worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import date
from typing import Any

from azure.data.tables import EdmType, EntityProperty

from captioning.budget.ledger import Tally
from captioning.storage.tables import Table

_COLUMNS = [column.name for column in fields(Tally)]


class UsageTable:
    """A row per day and worker. Only that worker writes it, so nothing is read first."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def save(self, day: date, worker: str, tally: Tally) -> None:
        """Writes a worker's row of a day."""
        columns = {name: _stored(value) for name, value in asdict(tally).items()}
        self._table.upsert({"PartitionKey": day.isoformat(), "RowKey": worker, **columns})

    def between(self, first: date, last: date) -> Iterator[tuple[date, str, Tally]]:
        """Every worker's row of every day from `first` to `last`, by day."""
        rows = self._table.query(
            "PartitionKey ge @first and PartitionKey le @last",
            {"first": first.isoformat(), "last": last.isoformat()},
            ["PartitionKey", "RowKey", *_COLUMNS],
        )
        for row in rows:
            columns = {name: _read(row[name]) for name in _COLUMNS if name in row}
            yield date.fromisoformat(row["PartitionKey"]), row["RowKey"], Tally(**columns)


def _stored(value: float) -> Any:
    """Integers as 64 bits: a busy worker's tokens of a day exceed the SDK's plain 32."""
    return EntityProperty(value, EdmType.INT64) if isinstance(value, int) else value


def _read(value: Any) -> Any:
    return value.value if isinstance(value, EntityProperty) else value
