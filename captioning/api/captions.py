"""The lookups of the API: one record, a search, and tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

from captioning.api.messages import (
    Request,
    Response,
    choice,
    json_response,
    problem,
    strong,
    whole_number,
)
from captioning.domain.record import Review, Status
from captioning.errors import BadRequest
from captioning.search import cursor
from captioning.search.places import BEGINNING
from captioning.search.query import Query, parse
from captioning.text.words import ALWAYS, tag_key

if TYPE_CHECKING:  # it would be a part of every cold start
    from captioning.records.catalog import Catalog

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
FILTERS = frozenset({"q", "status", "review", "since", "until", "limit", "cursor"})


class CaptionApi:
    """Lookups; safe to share between threads. `languages` are those of the captions; `listed` gives
    the tags of the vocabulary that begin with a text."""

    def __init__(
        self,
        catalog: Catalog,
        languages: tuple[str, ...] = (ALWAYS,),
        listed: Callable[[str], list[str]] = lambda _: [],
    ) -> None:
        self._catalog = catalog
        self._languages = languages
        self._listed = listed

    def get_caption(self, request: Request) -> Response:
        """GET /api/captions/{*path}: the record by blob path or `sha256:<id>`."""
        request.query(frozenset())
        stored = self._catalog.get_by_id(request.item_id())
        if stored is None:
            return problem(404, "not_found", "There is no record for this path.")
        etag = strong(stored.etag)
        if request.has(etag):
            return Response(304, headers={"ETag": etag, "Cache-Control": "no-cache, private"})
        return json_response(stored.record.to_json(), headers={"ETag": etag})

    def list_captions(self, request: Request) -> Response:
        """GET /api/captions?q=&tag=&status=&review=&since=&until=&limit=&cursor=: the records that
        match all parameters, newest upload first."""
        given = request.query(FILTERS, many=frozenset({"tag"}))
        query = self._query(given, request.values("tag"))
        position = cursor.decode(given["cursor"], query) if "cursor" in given else BEGINNING
        page = self._catalog.search(query, _limit(given), position)
        return json_response(
            {
                "items": [record.to_json() for record in page.records],
                "next": cursor.encode(page.next, query) if page.next else None,
            }
        )

    def list_tags(self, request: Request) -> Response:
        """GET /api/tags?prefix=&limit=: tags that images have or the vocabulary lists, in
        alphabetical order."""
        given = request.query(frozenset({"prefix", "limit"}))
        prefix, limit = given.get("prefix", ""), _limit(given)
        named = {tag_key(name): name for name in self._catalog.tags(prefix, limit)}
        named |= {tag_key(name): name for name in self._listed(prefix)}
        return json_response({"items": [named[key] for key in sorted(named)[:limit]]})

    def _query(self, given: dict[str, str], tags: list[str]) -> Query:
        if not all(tag.strip() for tag in tags):
            raise BadRequest("bad_tag", "tag must name a tag.")
        return replace(
            parse(given.get("q", ""), tags, self._languages),
            status=choice(given, "status", get_args(Status)),
            review=choice(given, "review", get_args(Review)),
            since=_time(given, "since"),
            until=_time(given, "until"),
        )


def _limit(given: dict[str, str]) -> int:
    return whole_number(given, "limit", DEFAULT_LIMIT, MAX_LIMIT)


def _time(given: dict[str, str], name: str) -> datetime | None:
    if name not in given:
        return None
    try:
        moment = datetime.fromisoformat(given[name])
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"bad_{name}", f"{name} must be a time such as 2026-11-22 or 2026-11-22T10:00:00Z."
        ) from error
