"""JSON documents as entities: one property per field, so that a table reads well in any explorer.

What is not a plain value is JSON. A property holds 32,768 UTF-16 units: longer text goes on in
`field_2`, `field_3`, … An entity holds 1 MiB.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

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
