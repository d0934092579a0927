"""Entities as the Table service has them: JSON in which a property's type stands beside it.

A document's fields are properties of their own, so that a table reads well in any explorer. A value
that is not plain is JSON. A property holds 32,768 UTF-16 units: longer text goes on in `field_2`,
`field_3`, … An entity holds 1 MiB.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NoReturn

from captioning.ports import Entity

_json = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps makes a new one each time


def _refused(_: str) -> NoReturn:
    """For NaN and Infinity, which are not JSON: an answer that holds them cannot be read."""
    raise ValueError("no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


_decode = json.JSONDecoder(parse_constant=_refused, parse_float=_finite).decode
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


def to_document(
    entity: Mapping[str, Any], fields: Collection[str], plain: frozenset[str]
) -> dict[str, Any]:
    """These fields of the document that the properties were made from; other properties may be
    anything. ValueError where a field does not hold what `to_properties` writes."""
    document: dict[str, Any] = {}
    for name in fields:
        if name not in entity:
            continue
        value = entity[name]
        whole = "".join(_continued(entity, name)) if isinstance(value, str) else value
        document[name] = whole if name in plain else _parsed(whole)
    return document


def field_of(name: str) -> str:
    """The field that a property belongs to: `text` for `text` and `text_2`."""
    field, _, number = name.rpartition("_")
    return field if field and number.isascii() and number.isdigit() else name


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


def _continued(entity: Mapping[str, Any], name: str) -> Iterator[str]:
    yield entity[name]
    number = 2
    while (part := entity.get(f"{name}_{number}")) is not None:
        if not isinstance(part, str):
            raise ValueError(f"{name}_{number} is no text")
        yield part
        number += 1


def _parsed(text: Any) -> Any:
    if not isinstance(text, str):
        raise ValueError("JSON is text")
    try:
        return _decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)
_TYPE = "@odata.type"


class Int64(int):
    """A whole number that is small, and was written as one of 64 bits."""


class TypedText(str):
    """A value that JSON has as text: its type is `edm`, such as Edm.DateTime or Edm.Binary."""

    edm: str

    @classmethod
    def of(cls, text: str, edm: str) -> TypedText:
        """The value of this type."""
        made = cls(text)
        made.edm = edm
        return made


def encoded(entity: Mapping[str, Any], *, in_ascii: bool = False) -> bytes:
    """The entity as JSON for the service, with escapes for all that is not ASCII if so wanted.
    TypeError for values that no property can have."""
    document: dict[str, Any] = {}
    for name, value in entity.items():
        match value:
            case TypedText():
                document |= {name + _TYPE: value.edm, name: value}
            case Int64():
                document |= {name + _TYPE: "Edm.Int64", name: str(int(value))}
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
    """The entity that the service gave, without what it adds. A page has null where an entity lacks
    a selected property. `encoded` gives every value the type that it had."""
    entity: Entity = {}
    for name, value in document.items():
        if name == "Timestamp" or name.startswith("odata.") or name.endswith(_TYPE):
            continue
        if value is None:
            continue
        match document.get(name + _TYPE):
            case "Edm.Double" if not isinstance(value, str):
                entity[name] = float(value)
            case "Edm.Int64":
                number = int(value)
                entity[name] = Int64(number) if number in INT32 else number
            case str() as edm if isinstance(value, str) and edm != "Edm.String":
                entity[name] = TypedText.of(value, edm)  # NaN, too: no reader takes it for a number
            case _:
                entity[name] = value
    return entity
