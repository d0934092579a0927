"""Entities as the Table service has them: JSON in which a property's type stands beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.data.tables import EdmType, EntityProperty

PROPERTY_UNITS = 32_768
ENTITY_BYTES = 1_000_000
"""Kept below the service's 1,048,576 for names, types and the system's own properties."""


def to_properties(document: dict[str, Any], plain: frozenset[str]) -> dict[str, Any]:
    """The document's fields as properties; those named `plain` as they are."""
    properties: dict[str, Any] = {}
    for name, value in document.items():
        if value is None:
            continue
        text = value if name in plain else json.dumps(value, ensure_ascii=False)
        if not isinstance(text, str):
            properties[name] = text
            continue
        for number, part in enumerate(parts(text), start=1):
            properties[name if number == 1 else f"{name}_{number}"] = part
    return properties


def to_document(entity: dict[str, Any], plain: frozenset[str]) -> dict[str, Any]:
    """The document that these properties were made from."""
    document: dict[str, Any] = {}
    for name, value in entity.items():
        if name in {"PartitionKey", "RowKey"} or name.rpartition("_")[2].isdigit():
            continue
        whole = "".join(_continued(entity, name)) if isinstance(value, str) else value
        document[name] = whole if name in plain else json.loads(whole)
    return document


def size(entity: dict[str, Any]) -> int:
    """Bytes as the service counts them: two per UTF-16 unit."""
    return sum(
        2 * len(name) + (len(value.encode("utf-16-le")) if isinstance(value, str) else 8)
        for name, value in entity.items()
    )


def parts(text: str) -> Iterable[str]:
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


def _continued(entity: dict[str, Any], name: str) -> Iterator[str]:
    yield entity[name]
    number = 2
    while (part := entity.get(f"{name}_{number}")) is not None:
        yield part
        number += 1


Entity = dict[str, Any]
INT32 = range(-(2**31), 2**31)
_TYPE = "@odata.type"


class NotPlain(ValueError):
    """A property of a type that is left to azure-data-tables."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entity, the ETag of the version read, and when that was written."""

    entity: Entity
    etag: str
    written: datetime


def encoded(entity: Mapping[str, Any]) -> bytes:
    """The entity for the service: text, flags, whole numbers, and fractions. NotPlain where it
    holds something else."""
    document: dict[str, Any] = {}
    for name, value in entity.items():
        match value:
            case str() | bool():
                document[name] = value
            case int() if value in INT32:
                document[name] = value
            case float() if math.isfinite(value):
                document |= {name + _TYPE: "Edm.Double", name: value}
            case EntityProperty(value=int(), edm_type=EdmType.INT64):
                document |= {name + _TYPE: "Edm.Int64", name: str(value.value)}
            case _:
                raise NotPlain(name)
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:  # half a surrogate pair
        raise NotPlain("text") from error


def decoded(document: Mapping[str, Any]) -> Entity:
    """The entity that the service gave, without what it adds. NotPlain likewise."""
    entity: Entity = {}
    for name, value in document.items():
        if name == "Timestamp" or name.startswith("odata.") or name.endswith(_TYPE):
            continue
        match document.get(name + _TYPE):
            case None:
                entity[name] = value
            case "Edm.Double":
                entity[name] = float(value)
            case _:
                raise NotPlain(name)
    return entity
