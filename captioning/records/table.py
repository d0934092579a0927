"""Records on Table Storage: one entity per blob, found by the hash of its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from captioning.domain.record import CaptionRecord, RowVersions, StoredRecord
from captioning.storage.entities import ENTITY_BYTES, Row, size, to_document, to_properties
from captioning.storage.tables import Table

CUT = "The picture holds more text than a record can (1 MiB): `text` was cut."

VERSIONS = "rows"
"""The property with the versions of the record's rows in the index; no part of the record."""
_PLAIN = frozenset(
    {"path", "id", "status", "review", "caption", "alt_text", "description"}
    | {"decorative", "created", "updated", "seconds", "note", "language"}
)


class RecordTable:
    """The table of records; every write is conditional on the version it was made from."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, record_id: str) -> StoredRecord | None:
        """The record and its ETag, or None."""
        row = self._table.get(record_id[:2], record_id)
        return _to_record(row) if row else None

    def get_all(self, record_ids: Sequence[str]) -> list[StoredRecord | None]:
        """Records side by side, in this order."""
        rows = self._table.get_all([(record_id[:2], record_id) for record_id in record_ids])
        return [_to_record(row) if row else None for row in rows]

    def put(self, record: CaptionRecord, etag: str | None, versions: RowVersions) -> str:
        """Replaces the version with this ETag, or creates the record where it is None.

        Returns the new ETag; RecordChanged when another version is there.
        """
        return self._table.put(_to_entity(record, versions), etag)

    def delete(self, record_id: str, etag: str) -> None:
        """Removes this version; RecordChanged when another one is there."""
        self._table.delete(record_id[:2], record_id, etag)

    def paths(
        self, size: int, token: Mapping[str, str] | None
    ) -> tuple[list[str], Mapping[str, str] | None]:
        """Paths of about `size` records from a position on, and the next position; None at the
        end."""
        entities, following = self._table.page(["path"], size, token)
        return [str(entity["path"]) for entity in entities], following

    def is_there(self) -> bool:
        """Whether the table answers; asked once, for health."""
        return self._table.is_there()


def _to_entity(record: CaptionRecord, versions: RowVersions) -> dict[str, Any]:
    document = record.to_json()
    entity = to_properties(document, _PLAIN)
    note = " ".join(filter(None, [record.note, CUT]))
    if size(entity) > ENTITY_BYTES and document["previous"]:
        document["previous"] = None
        entity = to_properties(document, _PLAIN)
    while size(entity) > ENTITY_BYTES and document["text"]:
        document["text"] = document["text"][: len(document["text"]) // 2]
        document["note"] = note
        entity = to_properties(document, _PLAIN)
    keys = {"PartitionKey": record.id[:2], "RowKey": record.id}
    return {**keys, **entity, VERSIONS: " ".join(astuple(versions))}


def _to_record(row: Row) -> StoredRecord:
    versions = RowVersions(*row.entity.get(VERSIONS, "").split())
    document = {name: value for name, value in row.entity.items() if name != VERSIONS}
    return StoredRecord(CaptionRecord.from_json(to_document(document, _PLAIN)), row.etag, versions)
