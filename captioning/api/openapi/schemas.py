"""Schemas of the OpenAPI document: bodies of requests and responses, from the types of the code."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from captioning.api.edits import body_schema
from captioning.budget.ledger import Budget, Tally
from captioning.domain.record import CaptionRecord
from captioning.records.history import TEXTS

Schema = dict[str, Any]
_REF = "#/components/schemas/"
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TEXT: Schema = {"type": "string"}
_DAY: Schema = {"type": "string", "format": "date"}
_SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_LEFT_OUT = ("title", "default")


def ref(name: str) -> Schema:
    """A reference to one of `schemas()`."""
    return {"$ref": f"{_REF}{name}"}


def shape(**properties: Schema) -> Schema:
    """The schema of an object that has all of these properties."""
    return {"type": "object", "properties": properties, "required": [*properties]}


def problem(status: int, codes: tuple[str, ...]) -> Schema:
    """RFC 9457 problem details with this status and one of these codes."""
    code: Schema = {"type": "string", "enum": [*codes]}
    return shape(status={"type": "integer", "const": status}, code=code, detail=_TEXT)


def schemas() -> dict[str, Schema]:
    """All named schemas."""
    return {
        **_of_types(),
        "Edits": body_schema(),
        "Page": shape(
            items={"type": "array", "items": ref("CaptionRecord")},
            next={"type": ["string", "null"], "description": "The `cursor` of the next page."},
        ),
        "TagNames": shape(items={"type": "array", "items": _TEXT}),
        "StoredImage": shape(
            path=_TEXT,
            id=_SHA256,
            bytes=_COUNT,
            etag=_TEXT,
            format=_TEXT,
            width=_COUNT,
            height=_COUNT,
        ),
        "Request": shape(path=_TEXT, id=_SHA256, afresh={"type": ["string", "null"]}),
        "UsageReport": _usage(),
        "Health": _health(),
    }


def _of_types() -> dict[str, Schema]:
    """The record, the tally, the budget and their parts. All their fields are required."""
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        (kind.__name__, "serialization", TypeAdapter(kind))
        for kind in (CaptionRecord, Tally, Budget)
    ]
    _, document = TypeAdapter.json_schemas(adapters, ref_template=f"{_REF}{{model}}")
    found = {name: _always(schema) for name, schema in document["$defs"].items()}
    texts = found["CaptionRecord"]["properties"]
    found["Previous"]["properties"] |= {
        "texts": {"type": "object", "properties": {name: texts[name] for name in TEXTS}},
        "provenance": {"type": "object", "properties": found["Provenance"]["properties"]},
    }
    return found


def _always(schema: Schema) -> Schema:
    properties = {name: _bare(inner) for name, inner in schema["properties"].items()}
    return {**_bare(schema), "properties": properties, "required": [*properties]}


def _bare(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name not in _LEFT_OUT}


def _usage() -> Schema:
    counted = {"allOf": [ref("Tally"), shape(images=_COUNT)]}
    return shape(
        days={"type": "array", "items": {"allOf": [*counted["allOf"], shape(day=_DAY)]}},
        total=counted,
        budget=ref("Budget"),
        prices=shape(date=_DAY, vision_verified={"type": "boolean"}),
    )


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": [*values]}


def _health() -> Schema:
    parts: Schema = {
        "type": "object",
        "properties": {
            "budget": _one_of("ok", "spent"),
            "reconcile": _one_of("stopped"),
            "events": _one_of("ok", "missing"),
            "backup": _one_of("late"),
            **{table: _one_of("unreadable") for table in ("reuse", "bursts", "usage", "state")},
        },
        "additionalProperties": _one_of("ok", "down"),
    }
    always = shape(status={"type": "string", "enum": ["ok", "degraded", "down"]}, parts=parts)
    sometimes: Schema = {
        "reasons": {"type": "object", "additionalProperties": _TEXT},
        "bad_settings": {"type": "array", "items": _TEXT},
    }
    return {**always, "properties": {**always["properties"], **sometimes}}
