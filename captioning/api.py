"""The API: plain request in, plain response out. It knows no host."""

from __future__ import annotations

import base64
import json
import re
from typing import Protocol

from captioning.errors import BadRequest
from captioning.http_message import Request, Response, json_response, problem
from captioning.listing import IndexRow, Page
from captioning.models import StoredRecord

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_PARTITION = re.compile(r"all~\d{4}-\d{2}")
_ROW = re.compile(r"\d{14}-([0-9a-f]{64})")


class Catalog(Protocol):
    """Where records are found."""

    def get_by_id(self, identity: str) -> StoredRecord | None: ...
    def page(self, limit: int, after: IndexRow | None = None) -> Page: ...


class CaptionApi:
    """Lookups; safe to share between threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def get_caption(self, request: Request) -> Response:
        """GET /api/captions/{*path}: the record by blob path or `sha256:<id>`."""
        request.query(frozenset())
        stored = self._catalog.get_by_id(request.item_id())
        if stored is None:
            return problem(404, "not_found", "There is no record for this path.")
        if request.has(stored.etag):
            return Response(
                304, headers={"ETag": stored.etag, "Cache-Control": "no-cache, private"}
            )
        return json_response(stored.record.to_json(), headers={"ETag": stored.etag})

    def list_captions(self, request: Request) -> Response:
        """GET /api/captions?limit=&cursor=: records, newest upload first."""
        query = request.query(frozenset({"limit", "cursor"}))
        limit = _limit(query.get("limit", str(DEFAULT_LIMIT)))
        after = _row_of(query["cursor"]) if "cursor" in query else None
        page = self._catalog.page(limit, after)
        return json_response(
            {
                "items": [record.to_json() for record in page.records],
                "next": _cursor(page.last) if page.last else None,
            }
        )


def _limit(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) < 4 and 1 <= int(value) <= MAX_LIMIT:
        return int(value)
    raise BadRequest("bad_limit", f"limit must be a whole number from 1 to {MAX_LIMIT}.")


def _cursor(row: IndexRow) -> str:
    document = json.dumps([row.partition, row.row]).encode()
    return base64.urlsafe_b64encode(document).decode().rstrip("=")


def _row_of(cursor: str) -> IndexRow:
    try:
        document = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        partition, row = json.loads(document)
        row_match = _ROW.fullmatch(row)
        if row_match and _PARTITION.fullmatch(partition) and _cursor_is(cursor, partition, row):
            return IndexRow(partition, row, row_match[1])
    except (ValueError, TypeError, RecursionError):
        pass
    raise BadRequest("bad_cursor", "The cursor is not one this API gave. Start without it.")


def _cursor_is(cursor: str, partition: str, row: str) -> bool:
    """Only the one spelling that was given out is taken back."""
    return cursor == _cursor(IndexRow(partition, row, ""))
