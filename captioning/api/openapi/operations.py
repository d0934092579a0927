"""The operations of the OpenAPI document: the routes of the function app and their responses."""

from __future__ import annotations

from captioning.api.edits import MAX_BODY, MEDIA_TYPES
from captioning.api.messages import JSON, PROBLEM
from captioning.api.openapi import parameters as params
from captioning.api.openapi.parameters import CACHE, ETAG, LOCATION, NOSNIFF, Part
from captioning.api.openapi.schemas import problem, ref

Problems = dict[int, tuple[str, ...]]
"""The codes of an operation's problems, by status."""
SAFE = {**CACHE, **NOSNIFF}
_KEYS: list[Part] = [{"key": []}, {"code": []}]
_BAD_QUERY = ("unknown_parameter", "bad_query")
_ABOUT = {
    400: "The request is invalid; `detail` says why.",
    404: "Not found.",
    409: "The state of the record or of the image does not allow it; `detail` says why.",
    411: "The Content-Length is missing.",
    412: "The condition is not met.",
    413: "The body or the image has too many bytes.",
    415: "The type is not supported.",
    428: "The condition is missing: `detail` names the header.",
    429: "Too many of these requests this hour: see Retry-After.",
    500: "An unexpected error; see the app's log.",
    503: "Settings, storage or a service prevent a response. Try again later.",
}


def paths() -> dict[str, Part]:
    """All routes, without the constraints that the templates of the functions have."""
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
    names = [parameter["name"] for parameter in params.SEARCH]
    bad = [f"bad_{name}" for name in names]
    return _operation(
        "list_captions",
        "Search the records, newest upload first",
        params.SEARCH,
        {"200": _json("Page")},
        {400: ("repeated_parameter", *bad)},
    )


def _get_caption() -> Part:
    read = {"path.path": "$response.body#/path", "header.If-Match": "$response.header.ETag"}
    edit = {"edit_caption": {"operationId": "edit_caption", "parameters": read}}
    return _operation(
        "get_caption",
        "Get the record of a blob",
        [params.RECORD_PATH, params.IF_NONE_MATCH],
        {
            "200": {**_json("CaptionRecord", ETAG), "links": edit},
            "304": _empty("The client has the present version.", ETAG | CACHE),
        },
        {404: ("not_found",)},
    )


def _edit_caption() -> Part:
    body = {"required": True, "content": dict.fromkeys(sorted(MEDIA_TYPES), _schema("Edits"))}
    body["description"] = f"At most {MAX_BODY:,} bytes; fields that are not given stay as they are."
    problems: Problems = {
        400: ("bad_body", "bad_field"),
        404: ("not_found",),
        409: ("unreadable",),
        412: ("changed",),
        413: ("too_large",),
        415: ("bad_media_type",),
        428: ("precondition_required",),
    }
    return _operation(
        "edit_caption",
        "Correct a record",
        [params.RECORD_PATH, params.IF_MATCH_NEEDED],
        {"200": _json("CaptionRecord", ETAG)},
        problems,
        body,
    )


def _list_tags() -> Part:
    return _operation(
        "list_tags",
        "List the tags in use, in alphabetical order",
        [params.PREFIX, params.LIMIT],
        {"200": _json("TagNames")},
        {400: ("repeated_parameter", "bad_limit")},
    )


def _get_image() -> Part:
    headers = {**ETAG, **SAFE}
    headers["Content-Security-Policy"] = params.header("Only the picture may be shown.")
    headers["Content-Disposition"] = params.header("To be shown, not saved.", const="inline")
    shown = {
        "description": "The bytes of the picture.",
        "headers": headers,
        "content": {"image/*": {}},
    }
    return _operation(
        "get_image",
        "Get an image, or its thumbnail",
        [params.IMAGE_PATH, params.WIDTH, params.VERSION, params.IF_NONE_MATCH],
        {"200": shown, "304": _empty("The client has the present version.", ETAG | CACHE)},
        {
            400: ("repeated_parameter", "bad_width", "bad_name"),
            404: ("not_found",),
            409: ("archived", "unreadable"),
            413: ("too_large",),
            415: ("unsupported_format", "corrupt", "too_large"),
        },
    )


def _put_image() -> Part:
    stored = {**_json("StoredImage", LOCATION | ETAG), "links": _links()}
    problems: Problems = {
        400: ("bad_name", "bad_length", "empty_body", "bad_condition"),
        404: ("not_found",),
        409: ("in_use", "archived", "unreadable"),
        411: ("length_required",),
        412: ("exists", "changed"),
        413: ("too_large",),
        415: ("unsupported_format", "corrupt", "too_small", "too_large"),
        428: ("precondition_required",),
    }
    body = {
        "required": True,
        "description": "The image, at most MAX_IMAGE_BYTES, with its Content-Length. Its type is"
        " detected from the content.",
        "content": {"image/*": {}},
    }
    described = _operation(
        "put_image",
        "Store an image; its blob event has it captioned",
        [params.IMAGE_PATH, params.IF_NEW, params.IF_REPLACED],
        {"200": {**stored, "description": "An image was replaced."}, "201": stored},
        problems,
        body,
    )
    described["responses"]["412"]["headers"] = {**SAFE, **params.THERE}
    return described


def _delete_image() -> Part:
    return _operation(
        "delete_image",
        "Delete an image and everything that is stored about it",
        [params.IMAGE_PATH, params.IF_MATCH],
        {"204": _empty("The image was deleted.", CACHE)},
        {
            400: ("bad_name",),
            404: ("not_found",),
            409: ("in_use",),
            412: ("changed",),
        },
    )


def _recaption() -> Part:
    return _operation(
        "recaption",
        "Caption an image again",
        [params.IMAGE_PATH],
        {"202": {**_json("Request"), "description": "The image will be captioned."}},
        {
            400: ("bad_name",),
            404: ("not_found",),
            409: ("unreadable",),
            429: ("too_many_requests",),
        },
    )


def _revert() -> Part:
    return _operation(
        "revert",
        "Restore the texts that a record had before",
        [params.RECORD_PATH, params.IF_MATCH_NEEDED],
        {"200": _json("CaptionRecord", ETAG)},
        {
            404: ("not_found",),
            409: ("no_previous", "in_progress", "unreadable"),
            412: ("changed",),
            428: ("precondition_required",),
        },
    )


def _get_usage() -> Part:
    return _operation(
        "get_usage",
        "Get images and costs by day",
        [params.DAYS],
        {"200": _json("UsageReport")},
        {400: ("repeated_parameter", "bad_days")},
    )


def _health() -> Part:
    down = {**_json("Health"), "description": "`down`: the app does not work."}
    found = {"200": _json("Health"), "500": _problems(500, ("internal",)), "503": down}
    about = "Get the health of the app"
    return {"operationId": "health", "summary": about, "security": [], "responses": found}


def _get_openapi() -> Part:
    found = {
        "description": "The OpenAPI document.",
        "headers": ETAG | SAFE,
        "content": {JSON: {"schema": {}}},
    }
    return _operation(
        "get_openapi",
        "Get this document",
        [params.IF_NONE_MATCH],
        {"200": found, "304": _empty("The client has the present version.", ETAG | CACHE)},
        {},
    ) | {"security": []}


def _links() -> dict[str, Part]:
    here = {"path": "$response.body#/path"}
    names = ("get_image", "delete_image", "recaption")
    return {name: {"operationId": name, "parameters": here} for name in names}


def _operation(
    name: str,
    about: str,
    parameters: list[Part],
    answers: dict[str, Part],
    problems: Problems,
    body: Part | None = None,
) -> Part:
    """The operation of the function with this name; the responses that all operations have are
    added."""
    codes = {**problems, 400: (*_BAD_QUERY, *problems.get(400, ()))}
    codes |= {500: ("internal",), 503: ("settings", "unavailable")}
    refused = {str(status): _problems(status, codes[status]) for status in sorted(codes)}
    refused["401"] = _empty("The host's response to a missing or wrong key, without a body.")
    if any(parameter["in"] == "path" for parameter in parameters):
        refused["414"] = _empty(
            "The host's response to a request line over 8,190 characters, without a body."
        )
    operation = {
        "operationId": name,
        "summary": about,
        "security": _KEYS,
        "parameters": parameters,
        "responses": dict(sorted({**answers, **refused}.items())),
    }
    return {**operation, "requestBody": body} if body else operation


def _problems(status: int, codes: tuple[str, ...]) -> Part:
    """A response with problem details, with one of these codes."""
    content = {PROBLEM: {"schema": problem(status, codes)}}
    return {"description": _ABOUT[status], "headers": SAFE, "content": content}


def _json(name: str, headers: Part | None = None) -> Part:
    """A response with a JSON body of this schema."""
    return {
        "description": "Success.",
        "headers": {**SAFE, **(headers or {})},
        "content": {JSON: _schema(name)},
    }


def _schema(name: str) -> Part:
    """The media type object of a body of this schema."""
    return {"schema": ref(name)}


def _empty(about: str, headers: Part | None = None) -> Part:
    """A response without a body."""
    return {"description": about, "headers": headers} if headers else {"description": about}
