"""Corrections by people, and steps back. It knows no host."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from captioning.api.edit_body import edits_in
from captioning.api.etags import matches, strong
from captioning.api.messages import Request, Response, json_response, problem
from captioning.domain.record import CaptionRecord
from captioning.domain.stored import StoredRecord
from captioning.errors import RecordChanged, ServiceUnavailable
from captioning.records.edits import edited
from captioning.records.history import obstacle, reverted

MAX_BODY = 64 * 1024
"""Bytes of a request."""
ATTEMPTS = 10
"""How often an edit of any version is tried on a record that changes under it."""
MEDIA_TYPES = frozenset({"application/json", "application/merge-patch+json"})


class Catalog(Protocol):
    """Where records are kept."""

    def get_by_id(self, identity: str) -> StoredRecord | None: ...
    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord: ...


class EditApi:
    """Writes what people say into records; safe to share between threads."""

    def __init__(self, catalog: Catalog, now: Callable[[], datetime]) -> None:
        self._catalog = catalog
        self._now = now

    def patch_caption(self, request: Request) -> Response:
        """PATCH /api/captions/{*path}: the record with the edits, where If-Match names the version
        that is there."""
        request.query(frozenset())
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in MEDIA_TYPES:
            known = " or ".join(sorted(MEDIA_TYPES))
            return problem(415, "bad_media_type", f"The Content-Type must be {known}.")
        if len(request.body) > MAX_BODY:
            return problem(413, "too_large", f"The body may have {MAX_BODY:,} bytes.")
        if refusal := _without_condition(request):
            return refusal
        edits = edits_in(request.body)
        return self._change(request, lambda record: edited(record, edits, self._now()))

    def post_revert(self, request: Request) -> Response:
        """POST /api/revert/{*path}: the record with its texts and those before in each other's
        place, where If-Match names the version that is there. 409 where there are none before, or
        new ones are on their way."""
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
        for _ in range(ATTEMPTS):
            stored = self._catalog.get_by_id(request.item_id())
            if stored is None:
                return problem(404, "not_found", "There is no record for this path.")
            if stored.record == record:  # it was saved, and the answer to that was lost
                return _answer(stored)
            if not matches(condition, stored.etag):
                return problem(412, "changed", "The record is another by now: read it again.")
            if refusal := obstacle(stored.record):
                return problem(409, *refusal)
            record = change(stored.record)
            try:
                return _answer(self._catalog.save(record, stored))
            except RecordChanged:
                continue
        raise ServiceUnavailable("The record changes all the time. Try again.")


def _without_condition(request: Request) -> Response | None:
    """428 where no version is named."""
    if request.headers.get("if-match", "").strip():
        return None
    return problem(
        428,
        "precondition_required",
        "Send If-Match with the ETag of the record that you read, or * for any.",
    )


def _answer(stored: StoredRecord) -> Response:
    return json_response(stored.record.to_json(), headers={"ETag": strong(stored.etag)})
