"""A record as a line of JSON, and back.

A line is the record as the API returns it, as in `export --format jsonl`. Columns of the row that
this version does not know follow under `other`; under `newer` follow those that it knows, where a
newer version has written more into them. The row of a record that cannot be read is kept as it is:
`{"id": …, "unreadable": {…}}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pydantic import ValidationError

from captioning.domain.record import CaptionRecord, record_id
from captioning.ports import Entity
from captioning.records.table import (
    columns_from_json,
    columns_in,
    columns_to_json,
    newer_columns_in,
    record_in,
    unknown_columns_in,
)

_COLUMN = re.compile(r"[A-Za-z_]\w{0,254}(@odata\.type)?")
_ID = re.compile(r"[0-9a-f]{64}")


class BadLine(ValueError):
    """A line holds no record; the message says what is wrong, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Readable:
    """A record, and the columns of its row that were not this version's."""

    record: CaptionRecord
    other: Entity = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The record's id."""
        return self.record.id


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The row of a record that cannot be read, without its keys."""

    identity: str
    row: Entity


def written(identity: str, row: Entity) -> tuple[str, bool]:
    """The line of a record's row, in ASCII, and whether the record can be read."""
    try:
        record = record_in(row)
        if record.id != identity:
            raise ValueError("a record of another image")
        document = record.to_json()
    except (ValueError, TypeError):  # its text is not logged: it quotes the record
        # Without the list of postings, which are those of the table that the row is read from.
        own = columns_to_json(columns_in(row))
        return json.dumps({"id": identity, "unreadable": own}), False
    if other := unknown_columns_in(row):
        document["other"] = columns_to_json(other)
    if newer := newer_columns_in(row, document):
        document["newer"] = columns_to_json(newer)
    return json.dumps(document), True


def read(text: str) -> Readable | Unreadable:
    """What a line holds; BadLine where that is nothing to put back. A row that an earlier version
    could not read is a record where this one can."""
    try:
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadLine("is not JSON") from None
    if not isinstance(document, dict):
        raise BadLine("is not a JSON object")
    if "unreadable" in document:
        return _unreadable(document)
    other, newer = document.pop("other", {}), document.pop("newer", {})
    try:
        record = CaptionRecord.from_json(document)
    except ValidationError as error:
        raise BadLine(f"is not a record: {_faults(error)}") from None
    if not record.path or record.id != record_id(record.path):
        raise BadLine("is not a record: `id` is not the SHA-256 of `path`")
    if record.status == "unreadable":
        raise BadLine("is not a record: whoever exported it could not read it")
    unknown, known = _columns(other), _columns(newer)
    if unknown is None or known is None:
        raise BadLine("is not a record: `other` and `newer` must be columns with plain values")
    if unknown_columns_in(unknown) != unknown or unknown_columns_in(known):
        raise BadLine("is not a record: `other` has columns of the app itself, or `newer` others")
    return Readable(record, unknown | known)


def _unreadable(document: dict[str, Any]) -> Readable | Unreadable:
    identity, row = document.get("id"), document["unreadable"]
    columns = _columns(row)
    if not isinstance(identity, str) or not _ID.fullmatch(identity) or columns is None:
        raise BadLine("is not a row: it needs an `id` in hex and plain values in `unreadable`")
    try:
        record = record_in(columns)
    except (ValueError, TypeError):
        return Unreadable(identity, columns)
    if record.id != identity:
        return Unreadable(identity, columns)
    newer = newer_columns_in(columns, record.to_json())
    return Readable(record, unknown_columns_in(columns) | newer)


def _columns(value: object) -> Entity | None:
    """The columns of a row; None where these cannot be any."""
    if not isinstance(value, dict) or not all(map(_COLUMN.fullmatch, value)):
        return None
    if not all(isinstance(each, str | bool | int | float) for each in value.values()):
        return None
    try:
        columns = columns_from_json(value)
        columns_to_json(columns)  # fails where a table cannot hold them
    except (ValueError, TypeError):
        return None
    return columns


def _refuse(constant: str) -> NoReturn:
    """For NaN and infinities, which JSON does not have, and no column either."""
    raise ValueError(constant)


def _faults(error: ValidationError) -> str:
    """Which fields are wrong, at most three of them."""
    found = [
        f"`{'.'.join(str(part) for part in each['loc'])}`: {each['msg']}"
        for each in error.errors(include_url=False, include_input=False)
    ]
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(found[:3]) + more
