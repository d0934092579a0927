"""Operations of the OpenAPI document: the routes of the function app and what they answer."""

from __future__ import annotations

from captioning.api.edits import MAX_BODY, MEDIA_TYPES
from captioning.api.messages import JSON, PROBLEM
from captioning.api.openapi import parameters as given
from captioning.api.openapi.parameters import CACHE, ETAG, LOCATION, NOSNIFF, Part
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


def paths() -> dict[str, Part]:
    """All routes, without the parameters' constraints of the Functions' templates."""
    return {
        "/api/captions": {"get": _list_captions()},
        "/api/captions/{path}": {"get": _get_caption(), "patch": _edit_caption()},
        "/api/tags": {"get": _list_tags()},
        "/api/images/{path}": {
            "get": _get_image(),
            "put": _put_image(),
            "delete": _delete_image(),
        },
        "/api/recaption/{path}": {"post": _recaption()},
        "/api/revert/{path}": {"post": _revert()},
        "/api/usage": {"get": _get_usage()},
        "/api/health": {"get": _health()},
        "/api/openapi.json": {"get": _get_openapi()},
    }


def _list_captions() -> Part:
    names = [parameter["name"] for parameter in given.SEARCH]
    bad = [f"bad_{name}" for name in names]
    return operation(
        "list_captions",
        "Records that answer a search, newest upload first",
        given.SEARCH,
        {"200": json_of("Page")},
        {400: ("repeated_parameter", *bad)},
    )


def _get_caption() -> Part:
    read = {"path.path": "$response.body#/path", "header.If-Match": "$response.header.ETag"}
    edit = {"edit_caption": {"operationId": "edit_caption", "parameters": read}}
    return operation(
        "get_caption",
        "The record of a blob",
        [given.RECORD_PATH, given.IF_NONE_MATCH],
        {
            "200": {**json_of("CaptionRecord", ETAG), "links": edit},
            "304": bodiless("The client has it.", ETAG | CACHE),
        },
        {404: ("not_found",)},
    )


def _edit_caption() -> Part:
    body = {"required": True, "content": dict.fromkeys(sorted(MEDIA_TYPES), schema_of("Edits"))}
    body["description"] = f"At most {MAX_BODY:,} bytes; fields that are not named stay as they are."
    problems: Problems = {
        400: ("bad_body", "bad_field"),
        404: ("not_found",),
        412: ("changed",),
        413: ("too_large",),
        415: ("bad_media_type",),
        428: ("precondition_required",),
    }
    return operation(
        "edit_caption",
        "What a person corrects in a record",
        [given.RECORD_PATH, given.IF_MATCH_NEEDED],
        {"200": json_of("CaptionRecord", ETAG)},
        problems,
        body,
    )


def _list_tags() -> Part:
    return operation(
        "list_tags",
        "Tags in use, by the alphabet",
        [given.PREFIX, given.LIMIT],
        {"200": json_of("TagNames")},
        {400: ("repeated_parameter", "bad_limit")},
    )


def _get_image() -> Part:
    headers = {**ETAG, **SAFE}
    headers["Content-Security-Policy"] = given.header("Allows nothing.")
    headers["Content-Disposition"] = given.header("Shown, not saved.", const="inline")
    shown = {"description": "Its bytes.", "headers": headers, "content": {"image/*": {}}}
    return operation(
        "get_image",
        "An image, or its thumbnail",
        [given.IMAGE_PATH, given.WIDTH, given.VERSION, given.IF_NONE_MATCH],
        {"200": shown, "304": bodiless("The client has it.", ETAG | CACHE)},
        {
            400: ("repeated_parameter", "bad_width", "bad_name"),
            404: ("not_found",),
            413: ("too_large",),
            415: ("unsupported_format", "corrupt", "too_large"),
        },
    )


def _put_image() -> Part:
    stored = {**json_of("StoredImage", LOCATION), "links": _links()}
    problems: Problems = {
        400: ("bad_name", "bad_length", "empty_body", "bad_condition"),
        404: ("not_found",),
        411: ("length_required",),
        412: ("exists",),
        413: ("too_large",),
        415: ("unsupported_format", "corrupt", "too_small", "too_large"),
    }
    body = {
        "required": True,
        "description": "The image, at most MAX_IMAGE_BYTES, with its Content-Length. Its type is"
        " what the content says.",
        "content": {"image/*": {}},
    }
    return operation(
        "put_image",
        "Stores an image; its blob event brings the caption",
        [given.IMAGE_PATH, given.IF_NEW],
        {"200": {**stored, "description": "It replaced one."}, "201": stored},
        problems,
        body,
    )


def _delete_image() -> Part:
    return operation(
        "delete_image",
        "Removes an image and all that is kept of it",
        [given.IMAGE_PATH, given.IF_MATCH],
        {"204": bodiless("It is gone.", CACHE)},
        {400: ("bad_name",), 404: ("not_found",), 412: ("changed",)},
    )


def _recaption() -> Part:
    return operation(
        "recaption",
        "Captions an image again",
        [given.IMAGE_PATH],
        {"202": {**json_of("Request"), "description": "It will be captioned."}},
        {400: ("bad_name",), 404: ("not_found",)},
    )


def _revert() -> Part:
    return operation(
        "revert",
        "Gives a record the texts back that it had before",
        [given.RECORD_PATH, given.IF_MATCH_NEEDED],
        {"200": json_of("CaptionRecord", ETAG)},
        {
            404: ("not_found",),
            409: ("no_previous", "in_progress"),
            412: ("changed",),
            428: ("precondition_required",),
        },
    )


def _get_usage() -> Part:
    return operation(
        "get_usage",
        "What was done and paid, by day",
        [given.DAYS],
        {"200": json_of("UsageReport")},
        {400: ("repeated_parameter", "bad_days")},
    )


def _health() -> Part:
    down = {**json_of("Health"), "description": "`down`: the app cannot work."}
    found = {"200": json_of("Health"), "500": problems_of(500, ("internal",)), "503": down}
    about = "Whether the app can work"
    return {"operationId": "health", "summary": about, "security": [], "responses": found}


def _get_openapi() -> Part:
    found = {"description": "It.", "headers": ETAG | SAFE, "content": {JSON: {"schema": {}}}}
    return operation(
        "get_openapi",
        "This document",
        [given.IF_NONE_MATCH],
        {"200": found, "304": bodiless("The client has it.", ETAG | CACHE)},
        {},
    ) | {"security": []}


def _links() -> dict[str, Part]:
    here = {"path": "$response.body#/path"}
    names = ("get_image", "delete_image", "recaption")
    return {name: {"operationId": name, "parameters": here} for name in names}
