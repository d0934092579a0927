"""Parameters and headers of the OpenAPI document, with the very limits that the code has."""

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
    "Percent-encoded; `/` may stay as it is: OpenAPI cannot say that this goes over many segments"
    " of the URL. `sha256:<id>`, with the record's `id`, may take its place."
)
_PRIVATE = "\ue000-\uf8ff\ufffe\uffff"
_KEPT_OUT = rf"\x00-\x1f\x7f-\x9f\\/{_PRIVATE}"
"""Of a part of a name. Not all that `name_problem` refuses: tools that make requests write a class
out, and the two private planes have 131,072 characters."""
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
    f"An image's path, one that a new image may have: no private-use characters. {_ITEM}",
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
        f'Words, "quoted phrases", -words to leave out; with the tags {MOST_TERMS} at most.',
        maxLength=MOST_CHARACTERS,
    ),
    {
        **_parameter(
            "tag",
            "query",
            "A whole tag; images have all of them.",
            {
                "type": "array",
                "items": {"type": "string", "pattern": r"\S"},
                "maxItems": MOST_TERMS,
            },
        ),
        "style": "form",
        "explode": True,
    },
    _text("status", "As in the record.", enum=[*get_args(Status)]),
    _text("review", "As in the record.", enum=[*get_args(Review)]),
    _parameter("since", "query", "Uploaded then or later.", _TIME),
    _parameter("until", "query", "Uploaded before then.", _TIME),
    LIMIT,
    _text("cursor", "`next` of the page before, with the same other parameters."),
]
PREFIX = _text("prefix", "How the tags begin.")
WIDTH = _parameter(
    "width", "query", "Of a thumbnail, in pixels.", {"type": "integer", "enum": [*WIDTHS]}
)
VERSION = _text(
    "version", "`image.etag` of the record; the current one makes the answer immutable."
)
DAYS = _number("days", "How many days, the last one today (UTC).", MAX_DAYS, DEFAULT_DAYS)
IF_NONE_MATCH = _parameter(
    "If-None-Match", "header", "ETags that the client has: 304 where one is.", {"type": "string"}
)
IF_NEW = _parameter(
    "If-None-Match", "header", "Stores a new image only.", {"type": "string", "enum": ["*"]}
)
IF_MATCH = _parameter(
    "If-Match",
    "header",
    "The ETag of the version that is meant, or a list of them; `*` for any.",
    {"type": "string"},
)
IF_MATCH_NEEDED: Part = {
    **IF_MATCH,
    "required": True,
    "schema": {"type": "string", "pattern": r"\S"},
}


def header(about: str, **schema: Any) -> Part:
    """A header that an answer always has."""
    return {"description": about, "required": True, "schema": {"type": "string", **schema}}


ETAG = {"ETag": header("Names the version; strong.", pattern='^"')}
CACHE = {"Cache-Control": header("What may be kept, by whom.")}
NOSNIFF = {"X-Content-Type-Options": header("It is what it says.", const="nosniff")}
LOCATION = {"Location": header("Where the image is.", pattern="^/api/images/")}
