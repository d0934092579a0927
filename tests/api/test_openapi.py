"""The OpenAPI document is the app's: its routes, levels, codes, records and limits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import validate

import function_app
from captioning.api.captions import MAX_LIMIT
from captioning.api.edits import MAX_CAPTION, edits_in
from captioning.api.messages import Request
from captioning.api.openapi.document import document, get_openapi
from captioning.api.usage import MAX_DAYS
from captioning.domain.blobs import name_problem
from captioning.errors import BadRequest
from testing.factories.records import FULL, short
from testing.harness.bindings import bindings
from testing.harness.functions import call
from testing.markdown import USE, section

LEVELS: dict[str, list[dict[str, list[str]]]] = {
    "function": [{"key": []}, {"code": []}],
    "anonymous": [],
}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Route, method and description of each operation."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def validator(name: str) -> jsonschema_rs.Validator:
    """Of a schema that has a name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def parameter(operation_id: str, name: str) -> dict[str, Any]:
    """Schema of a parameter."""
    [found] = [
        each["schema"]
        for _, _, operation in operations()
        for each in operation.get("parameters", [])
        if (operation["operationId"], each["name"]) == (operation_id, name)
    ]
    return dict(found)


def test_it_is_openapi() -> None:
    """By the meta-schema of 3.1, with all references, ids and parameters where they belong."""
    validate(json.loads(json.dumps(document())))


def test_it_has_the_functions_with_their_routes_methods_and_levels() -> None:
    """But for the gallery's, which are files."""
    of_api = {n: b for n, b in bindings("httpTrigger").items() if b["route"].startswith("api/")}
    described = {
        operation["operationId"]: (path, method, operation["security"])
        for path, method, operation in operations()
    }
    served = {
        name: (
            "/" + re.sub(r"\{\*(\w+)[^}]*\}", r"{\1}", binding["route"]),
            binding["methods"][0].lower(),
            LEVELS[binding["authLevel"].lower()],
        )
        for name, binding in of_api.items()
    }
    assert described == served
    assert all(len(binding["methods"]) == 1 for binding in of_api.values())


def test_it_has_the_codes_of_the_documents_error_section() -> None:
    told = section(USE, "Errors").split("\n\n")[0].replace("`detail`", "")
    _, *parts = re.split(r"\b([45]\d\d):\s", told)
    listed = {
        int(status): set(re.findall(r"`([a-z_]+)`", codes))
        for status, codes in zip(parts[::2], parts[1::2], strict=True)
    }
    described: dict[int, set[str]] = {}
    for _, _, operation in operations():
        for answer in operation["responses"].values():
            problem = answer.get("content", {}).get("application/problem+json")
            if problem:
                properties = problem["schema"]["properties"]
                status = properties["status"]["const"]
                described.setdefault(status, set()).update(properties["code"]["enum"])
    assert described == listed


@pytest.mark.parametrize("record", [FULL, short("a.jpg")])
def test_records_are_as_described(record: Any) -> None:
    is_valid = validator("CaptionRecord").is_valid
    sent = record.to_json()
    assert is_valid(sent)
    assert set(sent) == set(document()["components"]["schemas"]["CaptionRecord"]["required"])
    for field in sent:
        assert not is_valid({name: value for name, value in sent.items() if name != field})
    assert not is_valid({**sent, "status": "lost"})


@pytest.mark.parametrize(
    ("body", "is_good"),
    [
        ({"caption": "Mila."}, True),
        ({"caption": None, "tags": ["a"], "review": "done"}, True),
        ({"caption": "x" * MAX_CAPTION}, True),
        ({"caption": "x" * (MAX_CAPTION + 1)}, False),
        ({"caption": " "}, False),
        ({"caption": "a\nb"}, False),
        ({"alt_text": "", "decorative": True}, True),
        ({"alt_text": "A cat.", "decorative": True}, False),
        ({"decorative": None}, False),
        ({"description": "x"}, False),
        ({"tags": [""]}, False),
        ({}, False),
    ],
)
def test_edits_are_taken_as_described(body: dict[str, Any], is_good: bool) -> None:
    assert validator("Edits").is_valid(body) is is_good
    try:
        edits_in(json.dumps(body).encode())
    except BadRequest:
        assert not is_good
    else:
        assert is_good


@pytest.mark.parametrize(
    ("path", "is_good"),
    [
        ("a.jpg", True),
        ("2026/beach day ä 犬.jpg", True),
        ("a//b", True),
        ("..", False),
        ("a/../b", False),
        ("a/./b", False),
        ("a.", False),
        ("a./b", False),
        ("a/", False),
        ("a\\b", False),
        ("a\nb", False),
        ("a\x85b", False),
        ("\ue000", False),
        ("\uffff", False),
    ],
)
def test_paths_are_taken_as_described(path: str, is_good: bool) -> None:
    schema = parameter("put_image", "path")
    assert jsonschema_rs.is_valid(schema, path) is is_good
    assert (name_problem(path) == "") is is_good


def test_limits_are_the_codes() -> None:
    assert parameter("list_captions", "limit")["maximum"] == MAX_LIMIT
    assert parameter("get_usage", "days")["maximum"] == MAX_DAYS


def test_it_is_served_to_anybody_once() -> None:
    """Without settings, too: it needs nothing of the app."""
    response = call(function_app.get_openapi, "/api/openapi.json?code=k")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert json.loads(response.get_body()) == document()
    again = call(function_app.get_openapi, IF_NONE_MATCH=response.headers["ETag"])
    assert (again.status_code, again.get_body()) == (304, b"")
    with pytest.raises(BadRequest):
        get_openapi(Request("/api/openapi.json?x=1"))
