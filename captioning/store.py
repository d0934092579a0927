"""Records on Table Storage: one entity per blob, found by the hash of its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from captioning.entity import ENTITY_BYTES, size, to_document, to_properties
from captioning.models import CaptionRecord, StoredRecord
from captioning.tables import Table

CUT = "The picture holds more text than a record can (1 MiB): `text` was cut."

_PLAIN = frozenset(
    {"path", "id", "status", "review", "caption", "alt_text", "description"}
    | {"decorative", "created", "updated", "seconds", "note"}
)


class RecordStore:
    """The table of records; every write is conditional on the version it was made from."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, record_id: str) -> StoredRecord | None:
        """The record and its ETag, or None."""
        row = self._table.get(record_id[:2], record_id)
        return StoredRecord(_to_record(row.entity), row.etag) if row else None

    def put(self, record: CaptionRecord, etag: str | None) -> str:
        """Replaces the version with this ETag, or creates the record where it is None.

        Returns the new ETag; RecordChanged when another version is there.
        """
        return self._table.put(_to_entity(record), etag)

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


def _to_entity(record: CaptionRecord) -> dict[str, Any]:
    document = record.to_json()
    entity = to_properties(document, _PLAIN)
    note = " ".join(filter(None, [record.note, CUT]))
    while size(entity) > ENTITY_BYTES and document["text"]:
        document["text"] = document["text"][: len(document["text"]) // 2]
        document["note"] = note
        entity = to_properties(document, _PLAIN)
    return {"PartitionKey": record.id[:2], "RowKey": record.id, **entity}


def _to_record(entity: dict[str, Any]) -> CaptionRecord:
    return CaptionRecord.from_json(to_document(entity, _PLAIN))
