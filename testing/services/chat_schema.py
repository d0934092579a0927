"""Schemas that strict structured output refuses, as documented for Azure OpenAI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from testing.services.chat_replies import Refused

MAX_PROPERTIES = 100
MAX_LEVELS = 5
NOT_IN_STRICT = frozenset(
    {
        *("minLength", "maxLength", "pattern", "format", "minimum", "maximum", "multipleOf"),
        *("patternProperties", "unevaluatedProperties", "propertyNames", "minProperties"),
        *("maxProperties", "unevaluatedItems", "contains", "minContains", "maxContains"),
        *("minItems", "maxItems", "uniqueItems", "default", "oneOf", "allOf", "not", "if"),
    }
)


def check_format(form: dict[str, Any]) -> None:
    """Raises Refused for a format that structured output does not accept."""
    name = str(form.get("name", ""))
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        raise Refused("Invalid 'response_format.json_schema.name'.", "response_format", None)
    if form.get("strict") is True:
        problem = next(_schema_problems(form.get("schema")), None)
        if problem:
            message = f"Invalid schema for response_format '{name}': {problem}"
            raise Refused(message, "response_format", "invalid_json_schema")


def _schema_problems(schema: Any) -> Iterator[str]:
    nodes = list(_nodes(schema, 1))
    if not nodes or nodes[0][0].get("type") != "object":
        yield "schema must be a JSON Schema of 'type: \"object\"'."
    for node, level in nodes:
        for word in sorted(NOT_IN_STRICT & node.keys()):
            yield f"'{word}' is not permitted."
        if level > MAX_LEVELS:
            yield f"more than {MAX_LEVELS} levels of nesting."
        if node.get("type") == "object":
            if node.get("additionalProperties") is not False:
                yield "'additionalProperties' is required to be supplied and to be false."
            if set(node.get("required", ())) != set(node.get("properties", {})):
                yield "'required' is required to include every key in properties."
    if sum(len(node.get("properties", {})) for node, _ in nodes) > MAX_PROPERTIES:
        yield f"more than {MAX_PROPERTIES} properties."


def _nodes(schema: Any, level: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Every schema in a schema, with its level of nesting of objects."""
    if not isinstance(schema, dict):
        return
    yield schema, level
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [schema.get("items"), *schema.get("anyOf", ())]
    for part in inner:
        nested = isinstance(part, dict) and part.get("type") == "object"
        yield from _nodes(part, level + 1 if nested else level)
