"""Merging posting lists within a partition: the places that several terms share, newest first.

A list is read from where the others are: what lies between is skipped by a seek. So an AND of terms
costs what the rarest of them holds, not what the others hold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, Self

from captioning.search.places import after

FIRST_ROWS = 32
MOST_ROWS = 1_000
"""Rows that one request asks for: few where seeks go far, twice as many each time where not."""

Fetch = Callable[[str, str, str, int], Sequence[str]]
"""Places in the posting list of a term, from a position up to another, so many at the most."""


class Source(Protocol):
    """Places in their order."""

    def seek(self, position: str) -> str | None:
        """The first place from a position on, which never goes back; None where there is none."""


class PostingCursor:
    """The places in the posting list of one term, up to the position `end`."""

    def __init__(self, fetch: Fetch, term: str, end: str) -> None:
        self._fetch, self._term, self._end = fetch, term, end
        self._places: Sequence[str] = ()
        self._at = 0
        self._size = FIRST_ROWS
        self._used = 0  # of the places at hand: one of many where the others' seeks go far
        self._is_whole = False

    def seek(self, position: str) -> str | None:
        at = bisect_left(self._places, position, self._at)
        self._used += self._at < at < len(self._places)
        self._at = at
        while self._at == len(self._places):
            if self._is_whole:
                return None
            self._read_on(position)
        return self._places[self._at]

    def _read_on(self, position: str) -> None:
        self._size = min(2 * self._size, MOST_ROWS) if self._used > 2 else FIRST_ROWS
        self._places = self._fetch(self._term, position, self._end, self._size)
        self._at = 0
        self._used = 1
        self._is_whole = len(self._places) < self._size


class Union:
    """The places in any of several sources."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def seek(self, position: str) -> str | None:
        return min(filter(None, [source.seek(position) for source in self._sources]), default=None)


class Intersection(Iterator[str]):
    """Places that every source has, from a position on. Everything before `position` has been
    looked at, also where a read failed."""

    def __init__(self, sources: Sequence[Source], start: str) -> None:
        self._sources = sources
        self.position = start

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if not self._agree():
            raise StopIteration
        place = self.position
        self.position = after(place)
        return place

    def _agree(self) -> bool:
        """Goes on to the first place that all sources have; whether there is one."""
        agreeing = 0
        while True:
            for source in self._sources:
                place = source.seek(self.position)
                if place is None:
                    return False
                agreeing = agreeing + 1 if place == self.position else 1
                self.position = place
                if agreeing == len(self._sources):
                    return True
