"""Parameters and headers of the OpenAPI document, with the limits of the code."""

from __future__ import annotations

from typing import Any, get_args

from captioning.api.captions import DEFAULT_LIMIT, MAX_LIMIT
from captioning.api.images import WIDTHS
from captioning.api.usage import DEFAULT_DAYS, MAX_DAYS
from captioning.domain.blobs import NAME_UNITS
from captioning.domain.record import Review, Status
from captioning.search.query import MOST_CHARACTERS, MOST_TERMS

Part = dict[str, Any]
_ITEM = (
    "Percent-encoded; `/` may stay as it is: OpenAPI cannot express that this spans several"
    " segments of the URL. `sha256:<id>`, with the record's `id`, can be used instead."
)
_PRIVATE = "\ue000-\uf8ff\ufffe\uffff"
_KEPT_OUT = rf"\x00-\x1f\x7f-\x9f\\/{_PRIVATE}"
"""Characters that no part of a name may have. `name_problem` refuses more: tools that generate
requests expand a class, and the two private-use planes have 131,072 characters."""
_PART = rf"[^{_KEPT_OUT}]*[^{_KEPT_OUT}.]"
_TIME: Part = {"anyOf": [{"type": "string", "format": form} for form in ("date", "date-time")]}


def _parameter(name: str, place: str, about: str, schema: Part, *, required: bool = False) -> Part:
    found: Part = {"name": name, "in": place, "description": about, "schema": schema}
    return {**found, "required": True} if required else found


def _number(name: str, about: str, most: int, default: int) -> Part:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return _parameter(name, "query", about, schema)


def _text(name: str, about: str, **limits: Any) -> Part:
    return _parameter(name, "query", about, {"type": "string", **limits})


RECORD_PATH = _parameter(
    "path",
    "path",
    f"A blob's path. {_ITEM}",
    {"type": "string", "pattern": r"^[^\x00]+$"},
    required=True,
)
IMAGE_PATH = _parameter(
    "path",
    "path",
    f"An image's path, without private-use characters. {_ITEM}",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": NAME_UNITS,
        "pattern": f"^(({_PART})?/)*{_PART}$",
    },
    required=True,
)
LIMIT = _number("limit", "How many at most.", MAX_LIMIT, DEFAULT_LIMIT)
SEARCH = [
    _text(
        "q",
        f'Words, "quoted phrases", -words to exclude; {MOST_TERMS} at most, with the tags.',
        maxLength=MOST_CHARACTERS,
    ),
    {
        **_parameter(
            "tag",
            "query",
            "A whole tag; images must have all tags that are given.",
            {
                "type": "array",
                "items": {"type": "string", "pattern": r"\S"},
                "maxItems": MOST_TERMS,
            },
        ),
        "style": "form",
        "explode": True,
    },
    _text("status", "The status of the record.", enum=[*get_args(Status)]),
    _text("review", "The review of the record.", enum=[*get_args(Review)]),
    _parameter("since", "query", "Uploaded at this time or later.", _TIME),
    _parameter("until", "query", "Uploaded before this time.", _TIME),
    LIMIT,
    _text("cursor", "`next` of the previous page; all other parameters must be the same."),
]
PREFIX = _text("prefix", "The beginning of the tags.")
WIDTH = _parameter(
    "width",
    "query",
    "The width of a thumbnail, in pixels; without it, the original image.",
    {"type": "integer", "enum": [*WIDTHS]},
)
VERSION = _text(
    "version", "`image.etag` of the record; with the present one, the response is immutable."
)
DAYS = _number("days", "How many days, up to today (UTC).", MAX_DAYS, DEFAULT_DAYS)
IF_NONE_MATCH = _parameter(
    "If-None-Match",
    "header",
    "ETags that the client has; 304 where one is of the present version.",
    {"type": "string"},
)
IF_NEW: Part = {
    **_parameter(
        "If-None-Match",
        "header",
        "Stores only a new image. An upload needs either this or If-Match.",
        {"type": "string", "enum": ["*"]},
    ),
    "example": "*",
}
IF_MATCH = _parameter(
    "If-Match",
    "header",
    "The ETag of the expected version, or a list of them; `*` for any version.",
    {"type": "string"},
)
IF_REPLACED: Part = {
    **IF_MATCH,
    "description": "Replaces only this version: the ETag of the original image or a list of them;"
    " `*` for any version. An upload needs either this or If-None-Match.",
    "example": '"0x8DE3A5C1B2F4E60"',
}
IF_MATCH_NEEDED: Part = {
    **IF_MATCH,
    "required": True,
    "schema": {"type": "string", "pattern": r"\S"},
}


def header(about: str, **schema: Any) -> Part:
    """A header that a response always has."""
    return {"description": about, "required": True, "schema": {"type": "string", **schema}}


ETAG = {"ETag": header("The version, as a strong ETag.", pattern='^"')}
CACHE = {"Cache-Control": header("Who may cache the response.")}
NOSNIFF = {"X-Content-Type-Options": header("Browsers must not guess the type.", const="nosniff")}
THERE = {
    "ETag": {
        "description": "The version of the image that is there, if there is one.",
        "schema": {"type": "string", "pattern": '^"'},
    }
}
LOCATION = {"Location": header("The route of the image.", pattern="^/api/images/")}
