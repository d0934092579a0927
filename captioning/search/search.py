"""Searching: the index says where to look, the record itself whether it is what was asked for.

No request looks through a table. What one may cost has a limit, whatever is asked: where that is
reached before the page is full, the page is short and says from where to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from itertools import islice
from typing import Protocol

from captioning.domain.record import CaptionRecord, StoredRecord
from captioning.search.merge import Intersection, Months, PostingCursor, Source, Union
from captioning.search.query import Query
from captioning.search.rows import IndexRow, Page, id_at, newest, oldest, place_of

MOST_REQUESTS = 100
"""Requests to the index for one page."""
MOST_RECORDS = 400
"""Records read for one page."""
MOST_ENDINGS = 32
"""Words with a beginning, beyond which the records are looked at instead of these words' rows."""


class _Spent(Exception):
    """The page has cost as much as it may."""


class Rows(Protocol):
    """The index."""

    def page(self, partition: str, start: str, end: str, size: int) -> Sequence[IndexRow]: ...
    def months(self) -> Sequence[str]: ...
    def words(self, beginning: str, most: int) -> Sequence[str]: ...


class Search:
    """One search, and what it has cost so far."""

    def __init__(
        self,
        query: Query,
        index: Rows,
        read: Callable[[Sequence[str]], Sequence[StoredRecord | None]],
        pool: Executor,
    ) -> None:
        self._query = query
        self._index = index
        self._read = read
        self._pool = pool
        self._end = oldest(query.since)
        self._partitions: list[PostingCursor] = []
        self._requests_left = MOST_REQUESTS
        self._records_left = MOST_RECORDS
        self._is_spent = False

    def page(self, limit: int, position: str) -> Page:
        """Up to `limit` records that match, from a position on."""
        start = max(position, newest(self._query.until))
        matches = Intersection(self._wanted(), self._unwanted(), start)
        list(self._pool.map(lambda partition: partition.seek(start), self._partitions))
        records: list[CaptionRecord] = []
        while room := min(limit - len(records), self._records_left):
            places = self._take(matches, room)
            records += self._found(places)
            if len(places) < room:
                return Page(tuple(records), matches.position if self._is_spent else None)
        end = matches.position
        more = self._take(matches, 1) or self._is_spent
        return Page(tuple(records), end if more else None)

    def _take(self, matches: Intersection, count: int) -> list[str]:
        """So many places; fewer at the end, and where the page has cost enough."""
        places: list[str] = []
        with suppress(_Spent):
            for place in islice(matches, count):
                places.append(place)  # noqa: PERF402 - what was found before it ends stays
        return places

    def _found(self, places: list[str]) -> Iterator[CaptionRecord]:
        """The records at these places, as far as they are there and match."""
        self._records_left -= len(places)
        read = self._read([id_at(place) for place in places])
        for place, stored in zip(places, read, strict=True):
            record = stored.record if stored else None
            if record and place_of(record) == place and self._query.matches(record):
                yield record

    def _wanted(self) -> list[Source]:
        clauses = [self._any_of(terms) for terms in dict.fromkeys(self._query.clauses())]
        if self._query.beginning and (terms := self._terms(self._query.beginning)):
            clauses.append(self._any_of(terms))
        return clauses or [Months(self._fetch, self._index.months, self._end)]

    def _unwanted(self) -> list[Source]:
        return [self._any_of(terms) for terms in dict.fromkeys(self._query.exclusions())]

    def _terms(self, beginning: str) -> frozenset[str]:
        """Of every word that begins so; empty where there are too many."""
        found = self._index.words(beginning, MOST_ENDINGS + 1)
        if len(found) > MOST_ENDINGS:
            return frozenset()
        return frozenset().union(*(self._query.stems(word) for word in (beginning, *found)))

    def _any_of(self, terms: Iterable[str]) -> Source:
        partitions = [PostingCursor(self._fetch, term, self._end) for term in sorted(terms)]
        self._partitions += partitions
        self._requests_left += 2 * len(partitions)  # to begin with, whatever they hold
        return partitions[0] if len(partitions) == 1 else Union(partitions)

    def _fetch(self, partition: str, start: str, end: str, size: int) -> Sequence[IndexRow]:
        if self._requests_left <= 0:
            self._is_spent = True
            raise _Spent
        self._requests_left -= 1
        return self._index.page(partition, start, end, size)
