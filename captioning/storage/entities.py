"""Entities as the Table service has them: JSON in which a property's type stands beside it.

A document's fields are properties of their own, so that a table reads well in any explorer. A value
that is not plain is JSON. A property holds 32,768 UTF-16 units: longer text goes on in `field_2`,
`field_3`, … An entity holds 1 MiB.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from captioning.ports import Entity

_json = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes a new one each time
PROPERTY_UNITS = 32_768
ENTITY_BYTES = 1_000_000
"""Kept below the service's 1,048,576 for names, types and the system's own properties."""


def to_properties(document: dict[str, Any], plain: frozenset[str]) -> dict[str, Any]:
    """The document's fields as properties; those named `plain` as they are."""
    properties: dict[str, Any] = {}
    for name, value in document.items():
        if value is None:
            continue
        text = value if name in plain else _json(value)
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
    if 2 * len(encoded) <= PROPERTY_UNITS:  # whatever its characters: nearly every text
        yield encoded
        return
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


INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)
_TYPE = "@odata.type"


def encoded(entity: Mapping[str, Any], *, in_ascii: bool = False) -> bytes:
    """The entity as JSON for the service, with escapes for all that is not ASCII if so wanted.
    TypeError for values that no property can have."""
    document: dict[str, Any] = {}
    for name, value in entity.items():
        match value:
            case str() | bool():
                document[name] = value
            case int() if value in INT32:
                document[name] = value
            case int() if value in INT64:
                document |= {name + _TYPE: "Edm.Int64", name: str(value)}
            case float() if math.isfinite(value):
                document |= {name + _TYPE: "Edm.Double", name: value}
            case _:
                raise TypeError(f"{name}: {type(value).__name__}")
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    # Azurite 3.37 takes them for ends of lines: findings/azurite-batch-line-separator.sh
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    whole = text.encode("utf-8", "replace")  # half a surrogate pair cannot be sent
    if in_ascii and not whole.isascii():
        return json.dumps(json.loads(whole), separators=(",", ":")).encode()
    return whole


def decoded(document: Mapping[str, Any]) -> Entity:
    """The entity that the service gave, without what it adds; binary values stay base64. A page
    has null where an entity lacks a selected property."""
    entity: Entity = {}
    for name, value in document.items():
        if name == "Timestamp" or name.startswith("odata.") or name.endswith(_TYPE):
            continue
        if value is None:
            continue
        match document.get(name + _TYPE):
            case "Edm.Double":
                entity[name] = float(value)
            case "Edm.Int64":
                entity[name] = int(value)
            case _:
                entity[name] = value
    return entity
