"""Usage on Table Storage: PartitionKey is the day (`2026-11-22`), RowKey the worker."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from datetime import date
from typing import Any

from captioning.budget.ledger import Tally
from captioning.storage.broken_rows import Skipped, log_skipped
from captioning.storage.tables import Table

_KINDS = {column.name: type(column.default) for column in fields(Tally)}
"""Columns, int or float each."""


class UsageTable:
    """A row per day and worker. Only that worker writes it, so nothing is read first. A row that
    cannot be read is not counted, and `skipped` is told."""

    def __init__(self, table: Table, skipped: Skipped = log_skipped) -> None:
        self._table = table
        self._skipped = skipped

    def save(self, day: date, worker: str, tally: Tally) -> None:
        """Writes a worker's row of a day."""
        self._table.upsert({"PartitionKey": day.isoformat(), "RowKey": worker, **asdict(tally)})

    def between(self, first: date, last: date) -> Iterator[tuple[date, str, Tally]]:
        """Every worker's row of every day from `first` to `last`, by day."""
        rows = self._table.between(first.isoformat(), last.isoformat())
        for row in rows:
            day, worker = str(row["PartitionKey"]), str(row["RowKey"])
            try:
                found = date.fromisoformat(day), worker, _tally(row)
            except ValueError:
                self._skipped("usage", day, worker)
                continue
            yield found


def _tally(row: Mapping[str, Any]) -> Tally:
    columns = {name: row[name] for name in _KINDS if name in row}
    for name, value in columns.items():
        kinds = {_KINDS[name], int}
        if type(value) not in kinds or not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} is no count")
    return Tally(**columns)
