"""Corrections by people, and reverts: the body of the request is checked, the record changed."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from captioning.api.messages import Request, Response, json_response, matches, problem, strong
from captioning.domain.record import CaptionRecord, Review, StoredRecord
from captioning.errors import BadRequest, RecordChanged, ServiceUnavailable
from captioning.ports import RecordWriter
from captioning.records.edits import edited
from captioning.records.history import obstacle, reverted
from captioning.resilience.optimistic import until_saved
from captioning.text.visible import INVISIBLE, visible

MAX_BODY = 64 * 1024
"""Bytes of a request's body at most."""
MEDIA_TYPES = frozenset({"application/json", "application/merge-patch+json"})
ATTEMPTS = 10
"""Attempts at an edit of a record that other processes keep changing."""
MAX_CAPTION, MAX_ALT_TEXT, MAX_TAG = 2_000, 1_000, 100
"""Characters at most. All fields together take a twentieth of what a record can hold."""
MAX_TAGS = 100
_REFUSED = INVISIBLE - {"Cf", "Co"}
"""Unicode categories that no text may have. Format characters are part of Persian words and of
emoji; a text may have them as long as something in it is visible."""
_NO_LINE = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_BLANK = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ue000-\uf8ff\ufeff"
_WRITTEN = rf"^[^{_NO_LINE}]*[^{_NO_LINE}\s{_BLANK}][^{_NO_LINE}]*$"
"""One line with something visible in it, as far as JSON Schema can say that."""
_SHOWN = 40
"""Characters of an unknown field's name that are quoted."""


def _line(text: str) -> str:
    if any(unicodedata.category(character) in _REFUSED for character in text):
        raise ValueError("must not have control characters, line breaks or broken characters")
    if text and not visible(text):
        raise ValueError("must have something visible")
    return text


Caption = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_CAPTION),
    AfterValidator(_line),
]
AltText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=MAX_ALT_TEXT),
    AfterValidator(_line),
]
TagName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TAG),
    AfterValidator(_line),
]


class _Body(BaseModel):
    """What a person may write; a field that is not given stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    caption: Caption | None = None
    alt_text: AltText | None = None
    decorative: bool = False
    tags: Annotated[list[TagName], Field(max_length=MAX_TAGS)] = []
    review: Review = "none"

    @model_validator(mode="after")
    def _is_consistent(self) -> _Body:
        if self.decorative and self.alt_text:
            raise ValueError("alt_text must be empty where decorative is true")
        return self


def body_schema() -> dict[str, Any]:
    """The JSON Schema of a body. `edits_in` checks what a schema cannot say, such as which
    characters are visible."""
    schema = _Body.model_json_schema()
    for field in schema["properties"].values():
        for kind in [field, field.get("items", {}), *field.get("anyOf", ())]:
            if kind.get("type") == "string" and "enum" not in kind:
                kind["pattern"] = _WRITTEN if kind.get("minLength") else f"^$|{_WRITTEN}"
        del field["title"], field["default"]
    both = {"decorative": {"const": True}, "alt_text": {"type": "string", "minLength": 1}}
    return {
        "type": "object",
        "minProperties": 1,
        "properties": schema["properties"],
        "additionalProperties": False,
        "not": {"properties": both, "required": [*both]},
    }


def edits_in(body: bytes) -> dict[str, Any]:
    """The edits in a request's body, as JSON values of the record's fields; BadRequest where they
    are not valid or there are none."""
    document = _document(body)
    try:
        given = _Body.model_validate(document).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise BadRequest("bad_field", _first_problem(error)) from None
    if not given:
        raise BadRequest("bad_body", f"The body changes nothing. Known fields: {_known()}.")
    if "tags" in given:
        given["tags"] = _tags(given["tags"])
    return given


def _tags(names: list[str]) -> list[dict[str, Any]]:
    """Each name once, ignoring case, in its first spelling."""
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(name.casefold(), name)
    return [{"name": name, "confidence": 1.0} for name in spelled.values()]


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(
            body.decode("utf-8"), object_pairs_hook=_without_repeats, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BadRequest(
            "bad_body",
            "The body must be a JSON object in UTF-8, sent with a Content-Length.",
        )
    return document


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise BadRequest("bad_body", "The body names a field twice.")
    return document


def _refuse(_: str) -> NoReturn:
    """For NaN and Infinity, which are not JSON."""
    raise ValueError


def _first_problem(error: ValidationError) -> str:
    """The first error. It quotes nothing of the client's text but the name of a field."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "extra_forbidden":
        return f"Unknown field: {str(first['loc'][0])[:_SHOWN]}. Known fields: {_known()}."
    where = ".".join(str(step) for step in first["loc"])
    wrong = first["msg"].removeprefix("Value error, ")
    return f"{where}: {wrong}." if where else f"{wrong}."


def _known() -> str:
    return ", ".join(_Body.model_fields)


class EditApi:
    """Writes corrections of people into records; safe to share between threads."""

    def __init__(self, catalog: RecordWriter, now: Callable[[], datetime]) -> None:
        self._catalog = catalog
        self._now = now

    def patch_caption(self, request: Request) -> Response:
        """PATCH /api/captions/{*path}: the record with the edits, where If-Match names its present
        version."""
        request.query(frozenset())
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in MEDIA_TYPES:
            known = " or ".join(sorted(MEDIA_TYPES))
            return problem(415, "bad_media_type", f"The Content-Type must be {known}.")
        if len(request.body) > MAX_BODY:
            return problem(413, "too_large", f"The body may have {MAX_BODY:,} bytes at most.")
        if refusal := _without_condition(request):
            return refusal
        edits = edits_in(request.body)
        return self._change(request, lambda record: edited(record, edits, self._now()))

    def post_revert(self, request: Request) -> Response:
        """POST /api/revert/{*path}: the record with its present and previous texts swapped, where
        If-Match names its present version. 409 where there are no previous texts, or where a run is
        about to replace the present ones."""
        request.query(frozenset())
        if refusal := _without_condition(request):
            return refusal
        return self._change(request, lambda record: reverted(record, self._now()), obstacle)

    def _change(
        self,
        request: Request,
        change: Callable[[CaptionRecord], CaptionRecord],
        obstacle: Callable[[CaptionRecord], tuple[str, str] | None] = lambda _: None,
    ) -> Response:
        condition = request.headers.get("if-match", "")
        record: CaptionRecord | None = None

        def attempt() -> Response:
            nonlocal record
            stored = self._catalog.get_by_id(request.item_id())
            if stored is None:
                return problem(404, "not_found", "There is no record for this path.")
            # This comes before the condition: where an earlier attempt was saved and storage's
            # answer to it was lost, the ETag that the client knows is the previous one.
            if stored.record == record:
                return _answer(stored)
            if not matches(condition, stored.etag):
                return problem(412, "changed", "The record has changed: read it again.")
            if refusal := obstacle(stored.record):
                return problem(409, *refusal)
            record = change(stored.record)
            return _answer(self._catalog.save(record, stored))

        try:
            return until_saved(attempt, ATTEMPTS)
        except RecordChanged:
            raise ServiceUnavailable("The record keeps changing. Try again.") from None


def _without_condition(request: Request) -> Response | None:
    """The refusal of a request without If-Match."""
    if request.headers.get("if-match", "").strip():
        return None
    return problem(
        428,
        "precondition_required",
        "Send If-Match with the ETag of the record that you read, or * for any version.",
    )


def _answer(stored: StoredRecord) -> Response:
    return json_response(stored.record.to_json(), headers={"ETag": strong(stored.etag)})
