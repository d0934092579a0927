"""Searching: the index says where to look, the record itself whether it is what was asked for.

No request looks through a table. What a page may cost has a limit, whatever is asked: where that is
reached before the page is full, the page is short and says from where to go on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Protocol

from captioning.domain.record import CaptionRecord, record_id
from captioning.ports import Entity
from captioning.search.lanes import MOST_LISTED, Find, Lane, Merged, PostingLane, RecordLane, Spent
from captioning.search.merge import Intersection, PostingCursor, Source, Union
from captioning.search.places import Page, id_at, newest, oldest, place_of
from captioning.search.query import Query
from captioning.search.terms import MADE

MOST_REQUESTS = 100
"""Requests to the index for one page."""
MOST_RECORDS = 400
"""Records looked at for one page."""
MOST_ENDINGS = 32
"""Words with a beginning, beyond which records are looked at instead of these words' postings."""
MOST_MAKES = 32
"""Fingerprints in a partition, beyond which records are looked at instead of their postings."""


class Index(Protocol):
    """The catalogue's partitions as a search reads them."""

    @property
    def partitions(self) -> Sequence[str]:
        """Their keys."""

    def places(self, partition: str, term: str, start: str, end: str, size: int) -> Sequence[str]:
        """Places in the posting list of a term, from a position up to another."""

    def terms(self, partition: str, beginning: str, most: int) -> Sequence[str]:
        """Different terms that begin so, in their order."""

    def listed(self, partition: str, start: str, end: str, size: int) -> list[tuple[str, Entity]]:
        """Records as they are stored, with their places, from a position up to another."""

    def decoded(self, place: str, entity: Entity) -> CaptionRecord | None:
        """The record of a listed entity; None where it has none."""

    def read(self, place: str) -> CaptionRecord | None:
        """The record that a place is of; None where there is none."""

    def words(self, beginning: str, most: int) -> Sequence[str]:
        """Words that begin so, alphabetically."""


class _Budget:
    """Requests and records that a page may still cost; shared by its lanes' threads."""

    def __init__(self) -> None:
        self.records = MOST_RECORDS
        self._requests = MOST_REQUESTS
        self._lock = threading.Lock()

    def grant(self, requests: int) -> None:
        """Allows so many requests more."""
        with self._lock:
            self._requests += requests

    def pay(self) -> None:
        """For one request; Spent where none is left."""
        with self._lock:
            if self._requests <= 0:
                raise Spent
            self._requests -= 1


class Search:
    """One search, and what it has cost so far."""

    def __init__(self, query: Query, index: Index, pool: Executor) -> None:
        self._query = query
        self._index = index
        self._pool = pool
        self._end = oldest(query.since)
        self._budget = _Budget()
        self._cursors: list[PostingCursor] = []

    def page(self, limit: int, position: str) -> Page:
        """Up to `limit` records that match, from a position on."""
        merged = self._merged(position)
        records: list[CaptionRecord] = []
        ahead = None
        while room := min(limit - len(records), self._budget.records):
            found = merged.take(room, ahead)
            ahead = limit  # the rest is likely to be far: not a request for each few records
            records += self._matching(found)
            if len(found) < room:
                return Page(tuple(records), merged.position if merged.is_spent else None)
        end = merged.position
        more = merged.take(1, ahead=1) or merged.is_spent
        return Page(tuple(records), end if more else None)

    def paths(self, size: int, position: str) -> tuple[list[str], str | None]:
        """The paths of the next `size` records, whether or not they can be read, and the position
        behind them. A record that does not name its own path is left out."""
        merged = self._merged(position)
        found = merged.take(size)
        end = merged.position
        named = [(place, entity.get("path")) for place, entity in found]
        paths = [str(path) for place, path in named if record_id(str(path)) == id_at(place)]
        return paths, end if merged.take(1, 1) else None

    def walk(self) -> Iterator[CaptionRecord]:
        """Every record of a query that needs no posting list, by the largest pages there are."""
        for place, entity in self._merged("").walk(MOST_LISTED):
            record = self._index.decoded(place, entity)
            if record and self._query.matches(record):
                yield record

    def _merged(self, position: str) -> Merged:
        start = max(position, newest(self._query.until))
        endings = self._endings()
        lanes = list(
            self._pool.map(
                lambda partition: self._lane(partition, endings, start), self._index.partitions
            )
        )
        # The first page of every posting list at once: a lane reads them one after the other.
        list(self._pool.map(lambda cursor: cursor.seek(start), self._cursors))
        return Merged(lanes, self._pool)

    def _lane(self, partition: str, endings: frozenset[str], start: str) -> Lane:
        """By the postings of what a record must have. What it must not have is looked for in the
        record: a posting may be one that its text does not ask for any more."""
        clauses = [*dict.fromkeys(self._query.clauses())]
        if endings:
            clauses.append(endings)
        if self._query.not_made:
            made = self._index.terms(partition, MADE, MOST_MAKES + 1)
            if len(made) <= MOST_MAKES:
                clauses.append(frozenset(made) - {f"{MADE}{self._query.not_made}"})
        if not clauses:
            return self._record_lane(partition, start)
        sources = [self._any_of(partition, terms) for terms in clauses]
        return PostingLane(Intersection(sources, start))

    def _record_lane(self, partition: str, start: str) -> RecordLane:
        def fetch(position: str, size: int) -> list[tuple[str, Entity]]:
            return self._index.listed(partition, position, self._end, size)

        return RecordLane(fetch, start)

    def _any_of(self, partition: str, terms: Iterable[str]) -> Source:
        def fetch(term: str, start: str, end: str, size: int) -> Sequence[str]:
            self._budget.pay()
            return self._index.places(partition, term, start, end, size)

        cursors = [PostingCursor(fetch, term, self._end) for term in sorted(terms)]
        self._cursors += cursors
        self._budget.grant(2 * len(cursors))  # to begin with, whatever they hold
        return cursors[0] if len(cursors) == 1 else Union(cursors)

    def _endings(self) -> frozenset[str]:
        """The terms of every word with the query's beginning; empty where there are too many."""
        beginning = self._query.beginning
        if not beginning:
            return frozenset()
        found = self._index.words(beginning, MOST_ENDINGS + 1)
        if len(found) > MOST_ENDINGS:
            return frozenset()
        return frozenset().union(*(self._query.stems(word) for word in (beginning, *found)))

    def _matching(self, found: list[Find]) -> Iterator[CaptionRecord]:
        """The records that were found, as far as they are there and match."""
        self._budget.records -= len(found)
        for record in self._pool.map(self._record, found):
            if record and self._query.matches(record):
                yield record

    def _record(self, find: Find) -> CaptionRecord | None:
        place, entity = find
        if entity is not None:
            return self._index.decoded(place, entity)
        record = self._index.read(place)
        return record if record and place_of(record) == place else None
