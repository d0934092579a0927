"""What the app remembers beside its records, on Table Storage: `captionsstate`.

PartitionKey is the kind of document, RowKey its name; the document is JSON in one property.
"""

from __future__ import annotations

import json
from typing import Any

from captioning.storage.tables import Table

DOCUMENT = "document"


class StateTable:
    """Small documents by kind and name, of at most 32,768 characters each; the last write wins."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, kind: str, name: str) -> Any:
        """The document, or None."""
        row = self._table.get(kind, name)
        return json.loads(row.entity[DOCUMENT]) if row else None

    def put(self, kind: str, name: str, document: Any) -> None:
        """Writes the document, whatever is there."""
        self._table.upsert({"PartitionKey": kind, "RowKey": name, DOCUMENT: json.dumps(document)})

    def delete(self, kind: str, name: str) -> None:
        """Deletes the document; a missing one is no error."""
        self._table.delete(kind, name)
