"""Records on Table Storage: one entity per blob, found by the hash of its path.

One property per field of the record, so that the table reads well in any explorer; what is not a
plain value is JSON. A property holds 32,768 UTF-16 units: longer text goes on in `field_2`,
`field_3`, … An entity holds 1 MiB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, UpdateMode

from captioning.errors import RecordChanged
from captioning.models import CaptionRecord, StoredRecord

PROPERTY_UNITS = 32_768
ENTITY_BYTES = 1_000_000
"""Kept below the service's 1,048,576 for names, types and the system's own properties."""
CUT = "The picture holds more text than a record can (1 MiB): `text` was cut."

_PLAIN = frozenset(
    {"path", "id", "status", "review", "caption", "alt_text", "description"}
    | {"decorative", "created", "updated", "seconds", "note"}
)


class RecordStore:
    """The table of records; every write is conditional on the version it was made from."""

    def __init__(self, table: TableClient) -> None:
        self._table = table

    def get(self, record_id: str) -> StoredRecord | None:
        """The record and its ETag, or None."""
        try:
            entity = self._table.get_entity(record_id[:2], record_id)
        except ResourceNotFoundError:
            return None
        return StoredRecord(_to_record(entity), str(entity.metadata["etag"]))

    def is_there(self) -> bool:
        """Whether the table answers; asked once, for health."""
        try:
            self._table.get_entity("health", "health", retry_total=0)
        except ResourceNotFoundError as error:
            return "TableNotFound" not in str(error)
        except AzureError:
            return False
        return True

    def put(self, record: CaptionRecord, etag: str | None) -> str:
        """Replaces the version with this ETag, or creates the record where it is None.

        Returns the new ETag; RecordChanged when another version is there.
        """
        entity = _to_entity(record)
        try:
            if etag is None:
                written = self._table.create_entity(entity)
            else:
                written = self._table.update_entity(
                    entity,
                    mode=UpdateMode.REPLACE,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                )
        except (ResourceExistsError, ResourceModifiedError) as error:
            raise RecordChanged("The record was saved by somebody else meanwhile.") from error
        except ResourceNotFoundError as error:
            if etag is None:
                raise  # the table itself is missing
            raise RecordChanged("The record was removed meanwhile.") from error
        return str(written["etag"])


def _to_entity(record: CaptionRecord) -> dict[str, Any]:
    document = record.to_json()
    entity = _properties(document)
    note = " ".join(filter(None, [record.note, CUT]))
    while _size(entity) > ENTITY_BYTES and document["text"]:
        document["text"] = document["text"][: len(document["text"]) // 2]
        document["note"] = note
        entity = _properties(document)
    return {"PartitionKey": record.id[:2], "RowKey": record.id, **entity}


def _properties(document: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, value in document.items():
        if value is None:
            continue
        text = value if name in _PLAIN else json.dumps(value, ensure_ascii=False)
        if not isinstance(text, str):
            properties[name] = text
            continue
        for number, part in enumerate(_parts(text), start=1):
            properties[name if number == 1 else f"{name}_{number}"] = part
    return properties


def _to_record(entity: dict[str, Any]) -> CaptionRecord:
    document: dict[str, Any] = {}
    for name, value in entity.items():
        if name in {"PartitionKey", "RowKey"} or name.rpartition("_")[2].isdigit():
            continue
        whole = "".join(_continued(entity, name)) if isinstance(value, str) else value
        document[name] = whole if name in _PLAIN else json.loads(whole)
    return CaptionRecord.from_json(document)


def _continued(entity: dict[str, Any], name: str) -> Iterator[str]:
    yield entity[name]
    number = 2
    while (part := entity.get(f"{name}_{number}")) is not None:
        yield part
        number += 1


def _parts(text: str) -> Iterable[str]:
    """Pieces of at most 32,768 UTF-16 units, no character cut in two, no lone surrogate."""
    encoded = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    start = units = 0
    for position, character in enumerate(encoded):
        width = 2 if ord(character) > 0xFFFF else 1
        if units + width > PROPERTY_UNITS:
            yield encoded[start:position]
            start, units = position, 0
        units += width
    yield encoded[start:]


def _size(entity: dict[str, Any]) -> int:
    """Bytes as the service counts them: two per UTF-16 unit."""
    return sum(
        2 * len(name) + (len(value.encode("utf-16-le")) if isinstance(value, str) else 8)
        for name, value in entity.items()
    )
