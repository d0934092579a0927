"""Entities as the Table service has them: JSON in which a property's type stands beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azure.data.tables import EdmType, EntityProperty

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
