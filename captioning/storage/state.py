"""What the app remembers beside its records, on Table Storage: `captionsstate`.

PartitionKey is the kind of document, RowKey its name; the document is JSON in one property.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from captioning.ports import Entity
from captioning.storage.broken_rows import Skipped, log_skipped
from captioning.storage.tables import Table

DOCUMENT = "document"
END = "~"
"""After every name: they are ASCII, and none begins with this."""
PAGE = 1_000
"""Entities that one request gives."""


def _as_it_is(document: Any) -> Any:
    return document


class StateTable:
    """Small documents by kind and name, of at most 32,768 characters each; the last write wins, but
    for `replace`.

    What cannot be read counts as not there, and `skipped` is told. `read` makes something of a
    document, with a KeyError, TypeError or ValueError where it is not as it should be.
    """

    def __init__(self, table: Table, skipped: Skipped = log_skipped) -> None:
        self._table = table
        self._skipped = skipped

    def get(self, kind: str, name: str, read: Callable[[Any], Any] = _as_it_is) -> Any:
        """The document, or None."""
        row = self._table.get(kind, name)
        return self._read(row.entity, read) if row else None

    def all(self, kind: str, read: Callable[[Any], Any] = _as_it_is) -> Iterator[Any]:
        """Every document of a kind, in the order of their names, read as they are taken."""
        start = ""
        while True:
            rows = self._table.page(kind, start, END, PAGE)
            for row in rows:
                if (found := self._read(row, read)) is not None:
                    yield found
            if len(rows) < PAGE:
                return
            start = f"{rows[-1]['RowKey']}!"  # no name goes on with a character before this one

    def version(
        self, kind: str, name: str, read: Callable[[Any], Any] = _as_it_is
    ) -> tuple[Any, str | None]:
        """The document and the ETag of this version; None for both without one."""
        row = self._table.get(kind, name)
        return (self._read(row.entity, read), row.etag) if row else (None, None)

    def replace(self, kind: str, name: str, document: Any, etag: str | None) -> None:
        """Replaces the version with this ETag, or creates the document where it is None;
        RecordChanged where another version is there."""
        entity = {"PartitionKey": kind, "RowKey": name, DOCUMENT: json.dumps(document)}
        self._table.put(entity, etag)

    def put(self, kind: str, name: str, document: Any) -> None:
        """Writes the document, whatever is there."""
        self._table.upsert({"PartitionKey": kind, "RowKey": name, DOCUMENT: json.dumps(document)})

    def delete(self, kind: str, name: str) -> None:
        """Deletes the document; a missing one is no error."""
        self._table.delete(kind, name)

    def _read(self, row: Entity, read: Callable[[Any], Any]) -> Any:
        try:
            return read(json.loads(row[DOCUMENT]))
        except (KeyError, TypeError, ValueError, RecursionError):
            self._skipped("state", str(row["PartitionKey"]), str(row["RowKey"]))
            return None
