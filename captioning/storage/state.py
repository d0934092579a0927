"""What the app remembers beside its records, on Table Storage: `captionsstate`.

PartitionKey is the kind of document, RowKey its name; the document is JSON in one property.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from captioning.storage.tables import Table

DOCUMENT = "document"
END = "~"
"""After every name: they are ASCII, and none begins with this."""
PAGE = 1_000
"""Entities that one request gives."""


class StateTable:
    """Small documents by kind and name, of at most 32,768 characters each; the last write wins."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, kind: str, name: str) -> Any:
        """The document, or None."""
        row = self._table.get(kind, name)
        return json.loads(row.entity[DOCUMENT]) if row else None

    def all(self, kind: str) -> Iterator[Any]:
        """Every document of a kind, in the order of their names, read as they are taken."""
        start = ""
        while True:
            rows = self._table.page(kind, start, END, PAGE)
            for row in rows:
                yield json.loads(row[DOCUMENT])
            if len(rows) < PAGE:
                return
            start = f"{rows[-1]['RowKey']}!"  # no name goes on with a character before this one

    def put(self, kind: str, name: str, document: Any) -> None:
        """Writes the document, whatever is there."""
        self._table.upsert({"PartitionKey": kind, "RowKey": name, DOCUMENT: json.dumps(document)})

    def delete(self, kind: str, name: str) -> None:
        """Deletes the document; a missing one is no error."""
        self._table.delete(kind, name)
