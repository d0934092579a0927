"""What a person asks for in a terminal, as a search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from captioning.domain.record import Status
from captioning.errors import BadRequest
from captioning.search.query import Query, parse


def query_of(
    words: Iterable[str],
    tags: Iterable[str],
    status: Status | None,
    since: datetime | None,
    languages: tuple[str, ...],
) -> Query:
    """The search; BadRequest where there is too much of it. An argument with spaces is a phrase;
    all words are whole, as nobody is still typing."""
    if any(not tag.strip() for tag in tags):
        raise BadRequest("bad_tag", "A tag must have a name.")
    phrases = (f'"{word}"' if " " in word and '"' not in word else word for word in words)
    query = parse("".join(f"{phrase} " for phrase in phrases), tags, languages)
    return replace(query, status=status, since=since and since.replace(tzinfo=UTC))
