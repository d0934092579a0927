"""Merging sorted partitions of the index: where all of several terms agree, newest first.

A partition is read from where the others are: what lies between is skipped by a seek. So an AND of
terms costs what the rarest of them holds, not what the others hold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Protocol, Self

from captioning.search.rows import END, IndexRow, after, month_at

FIRST_ROWS = 32
MOST_ROWS = 1_000
"""Rows that one request asks for: few where seeks go far, twice as many each time where not."""

MORE = "?"
"""The version of no row."""

Fetch = Callable[[str, str, str, int], Sequence[IndexRow]]
"""Rows of a partition from a position up to another, in their order, so many at the most."""


class Source(Protocol):
    """Places in their order."""

    def seek(self, position: str) -> str | None:
        """The first place from a position on, which never goes back; None where there is none."""

    def versions(self, place: str) -> frozenset[str]:
        """Versions of the rows at a place that was just found; with MORE where there may be more of
        them."""


class PostingCursor:
    """The places in one partition of the index, up to the position `end`."""

    def __init__(self, fetch: Fetch, name: str, end: str) -> None:
        self._fetch, self._name, self._end = fetch, name, end
        self._rows: Sequence[IndexRow] = ()
        self._at = 0
        self._size = FIRST_ROWS
        self._used = 0  # of the rows at hand: one of many where the others' seeks go far
        self._is_whole = False

    def seek(self, position: str) -> str | None:
        at = bisect_left(self._rows, position, self._at, key=lambda row: row.row)
        self._used += self._at < at < len(self._rows)
        self._at = at
        while self._at == len(self._rows):
            if self._is_whole:
                return None
            self._go_on(position)
        return self._rows[self._at].place

    def versions(self, place: str) -> frozenset[str]:
        here = takewhile(lambda row: row.place == place, islice(self._rows, self._at, None))
        found = frozenset(row.version for row in here)
        is_cut = found and self._rows[-1].place == place and not self._is_whole
        return found | {MORE} if is_cut else found

    def _go_on(self, position: str) -> None:
        """Reads on from the position."""
        self._size = min(2 * self._size, MOST_ROWS) if self._used > 2 else FIRST_ROWS
        self._rows = self._fetch(self._name, position, self._end, self._size)
        self._at = 0
        self._used = 1
        self._is_whole = len(self._rows) < self._size


class Union:
    """The places in any of several partitions."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def seek(self, position: str) -> str | None:
        return min(filter(None, [source.seek(position) for source in self._sources]), default=None)

    def versions(self, place: str) -> frozenset[str]:
        return frozenset().union(*(source.versions(place) for source in self._sources))


class Months:
    """The places of all images: month by month, the newest first."""

    def __init__(self, fetch: Fetch, months: Callable[[], Sequence[str]], end: str) -> None:
        self._fetch, self._end = fetch, end
        self._oldest = "" if end == END else month_at(end)
        self._list_months = months
        self._months: Sequence[str] | None = None
        self._current: tuple[str, PostingCursor] = ("", PostingCursor(fetch, "", end))

    def seek(self, position: str) -> str | None:
        if self._months is None:
            self._months = self._list_months()
        newest = month_at(position)
        for month in self._months:
            if not self._oldest <= month <= newest:
                continue
            if self._current[0] != month:
                self._current = (month, PostingCursor(self._fetch, f"all~{month}", self._end))
            if place := self._current[1].seek(position):
                return place
        return None

    def versions(self, place: str) -> frozenset[str]:
        return self._current[1].versions(place)


class Intersection(Iterator[str]):
    """Places that every wanted source has, from a position on; without those that an unwanted one
    has beyond doubt. What `position` has gone past is done with, also where a read failed."""

    def __init__(self, wanted: Sequence[Source], unwanted: Sequence[Source], start: str) -> None:
        self._wanted, self._unwanted = wanted, unwanted
        self.position = start

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        while self._agree():
            place = self.position
            is_unwanted = any(self._is_excluded(place, source) for source in self._unwanted)
            self.position = after(place)
            if not is_unwanted:
                return place
        raise StopIteration

    def _agree(self) -> bool:
        """Goes on to the first place that all wanted sources have; whether there is one."""
        agreeing = 0
        while True:
            for source in self._wanted:
                place = source.seek(self.position)
                if place is None:
                    return False
                agreeing = agreeing + 1 if place == self.position else 1
                self.position = place
                if agreeing == len(self._wanted):
                    return True

    def _is_excluded(self, place: str, source: Source) -> bool:
        """Whether the place is in the unwanted source as surely as in a wanted one. Rows of another
        version may be leftovers: then the record has to be looked at."""
        if source.seek(place) != place:
            return False
        versions = source.versions(place)
        return any(wanted.versions(place) <= versions for wanted in self._wanted)
