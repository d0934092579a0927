"""The index on Table Storage: from a term to the images that have it, newest first.

PartitionKey is the term, RowKey the inverted upload time and the record's id, so a partition reads
newest first and an image sorts to the same place in every partition. `all~2026-11` holds the
images uploaded in a month; the partition `months` holds the months there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from captioning.listing import IndexRow
from captioning.models import CaptionRecord
from captioning.tables import Table

MONTHS = "months"
_LAST_MILLISECOND = 10**14 - 1
_LAST_MONTH = 999_999


class CaptionIndex:
    """Rows of the table of terms; safe to share between threads."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known_months: set[str] = set()

    def rows(self, record: CaptionRecord) -> frozenset[IndexRow]:
        """The rows that a record stands behind."""
        uploaded = record.image.modified
        inverted = _LAST_MILLISECOND - int(uploaded.timestamp() * 1000)
        row = f"{inverted:014d}-{record.id}"
        return frozenset({IndexRow(f"all~{uploaded:%Y-%m}", row, record.id)})

    def add(self, rows: frozenset[IndexRow]) -> None:
        """Writes rows; those already there stay."""
        for row in rows:
            self._add_month(row.partition.removeprefix("all~"))
            self._table.upsert({"PartitionKey": row.partition, "RowKey": row.row})

    def remove(self, rows: frozenset[IndexRow]) -> None:
        """Deletes rows; missing ones are no error."""
        for row in rows:
            self._table.delete(row.partition, row.row)

    def newest(self, after: IndexRow | None, page_size: int) -> Iterator[IndexRow]:
        """Rows of all images, newest first, from behind a row on; read as they are taken."""
        for month in self._months(after):
            partition = f"all~{month}"
            start = after.row if after and after.partition == partition else ""
            entities = self._table.query(
                "PartitionKey eq @partition and RowKey gt @start",
                {"partition": partition, "start": start},
                ["RowKey"],
                page_size,
            )
            for entity in entities:
                row = str(entity["RowKey"])
                yield IndexRow(partition, row, row.rpartition("-")[2])

    def _months(self, after: IndexRow | None) -> Iterator[str]:
        newest = _inverted(after.partition.removeprefix("all~")) if after else ""
        for entity in self._table.query(
            "PartitionKey eq @months and RowKey ge @newest",
            {"months": MONTHS, "newest": newest},
            ["month"],
        ):
            yield str(entity["month"])

    def _add_month(self, month: str) -> None:
        if month not in self._known_months:
            self._table.upsert({"PartitionKey": MONTHS, "RowKey": _inverted(month), "month": month})
            self._known_months.add(month)


def _inverted(month: str) -> str:
    year, _, number = month.partition("-")
    return f"{_LAST_MONTH - int(year) * 100 - int(number):06d}"
