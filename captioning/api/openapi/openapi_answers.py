"""Operations and answers of the OpenAPI document, in the one form that all of them have."""

from __future__ import annotations

from captioning.api.messages import JSON, PROBLEM
from captioning.api.openapi.parameters import CACHE, NOSNIFF, Part
from captioning.api.openapi.schemas import problem, ref

SAFE = {**CACHE, **NOSNIFF}
_KEYS: list[Part] = [{"key": []}, {"code": []}]
_UNDERSTOOD = ("unknown_parameter", "bad_query")
_ABOUT = {
    400: "The request is not understood; `detail` says what is wrong.",
    404: "It is not there.",
    409: "The record does not allow it; `detail` says why.",
    411: "A body without its length.",
    412: "Another version is there than the condition names.",
    413: "Too many bytes.",
    415: "Not a type that is read here.",
    428: "The condition is missing.",
    500: "A fault of the app; its log says what.",
    503: "Settings, storage or a service keep the app from answering: ask again later.",
}
Problems = dict[int, tuple[str, ...]]


def operation(
    name: str,
    about: str,
    parameters: list[Part],
    answers: dict[str, Part],
    problems: Problems,
    body: Part | None = None,
) -> Part:
    """An operation of the function with this name, with what each may answer beside its own."""
    codes = {**problems, 400: (*_UNDERSTOOD, *problems.get(400, ()))}
    codes |= {500: ("internal",), 503: ("settings", "unavailable")}
    refused = {str(status): problems_of(status, codes[status]) for status in sorted(codes)}
    refused["401"] = bodiless("The host's answer to a missing or wrong key, without a body.")
    if any(parameter["in"] == "path" for parameter in parameters):
        refused["414"] = bodiless("The host's answer to a request line over 8,190 characters.")
    operation = {
        "operationId": name,
        "summary": about,
        "security": _KEYS,
        "parameters": parameters,
        "responses": dict(sorted({**answers, **refused}.items())),
    }
    return {**operation, "requestBody": body} if body else operation


def problems_of(status: int, codes: tuple[str, ...]) -> Part:
    """A refusal with one of these codes."""
    content = {PROBLEM: {"schema": problem(status, codes)}}
    return {"description": _ABOUT[status], "headers": SAFE, "content": content}


def json_of(name: str, headers: Part | None = None) -> Part:
    """An answer of this named schema."""
    return {
        "description": "It is done.",
        "headers": {**SAFE, **(headers or {})},
        "content": {JSON: schema_of(name)},
    }


def schema_of(name: str) -> Part:
    """A body of this named schema."""
    return {"schema": ref(name)}


def bodiless(about: str, headers: Part | None = None) -> Part:
    """An answer without a body."""
    return {"description": about, "headers": headers} if headers else {"description": about}
