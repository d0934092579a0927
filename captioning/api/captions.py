"""The API's lookups: plain request in, plain response out. It knows no host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar, get_args

from captioning.api.messages import Request, Response, json_response, problem, strong
from captioning.domain.record import Review, Status
from captioning.errors import BadRequest
from captioning.records.catalog import Catalog
from captioning.search import cursor
from captioning.search.query import Query, parse
from captioning.search.rows import BEGINNING
from captioning.text.words import ALWAYS, tag_key

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
FILTERS = frozenset({"q", "status", "review", "since", "until", "limit", "cursor"})
Choice = TypeVar("Choice", bound=str)


class CaptionApi:
    """Lookups; safe to share between threads. `languages` are the captions', `listed` gives the
    vocabulary's tags that begin so."""

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
        """GET /api/captions?q=&tag=&status=&review=&since=&until=&limit=&cursor=: records that are
        all of that, newest upload first."""
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
        """GET /api/tags?prefix=&limit=: tags that images have or the vocabulary lists, by the
        alphabet."""
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
            status=_choice(given, "status", get_args(Status)),
            review=_choice(given, "review", get_args(Review)),
            since=_time(given, "since"),
            until=_time(given, "until"),
        )


def _limit(given: dict[str, str]) -> int:
    value = given.get("limit", str(DEFAULT_LIMIT))
    if value.isascii() and value.isdigit() and len(value) < 4 and 1 <= int(value) <= MAX_LIMIT:
        return int(value)
    raise BadRequest("bad_limit", f"limit must be a whole number from 1 to {MAX_LIMIT}.")


def _choice(given: dict[str, str], name: str, choices: tuple[Choice, ...]) -> Choice | None:
    for choice in choices:
        if given.get(name) == choice:
            return choice
    if name in given:
        raise BadRequest(f"bad_{name}", f"{name} must be one of {', '.join(choices)}.")
    return None


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
