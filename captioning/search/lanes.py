"""Lanes: each partition of the catalogue is searched by itself, and the finds merged by place.

Within a partition everything about a record is together, so words are intersected there. A lane
finds some places ahead; the newest of all lanes' finds come first.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any, Protocol

from captioning.ports import Entity
from captioning.search.merge import Intersection
from captioning.search.places import END, after

Find = tuple[str, Any]
"""A place, and what was read with it: an entity, or None where the record has to be read."""


MOST_LISTED = 1_000
"""Records that one request gives at the most."""


class Spent(Exception):
    """The page has cost as much as it may."""


class Lane(Protocol):
    """What one partition holds."""

    finds: deque[Find]
    is_ended: bool

    @property
    def position(self) -> str:
        """Everything before it was found or looked at."""

    def fill(self, count: int) -> None:
        """Finds about `count` more; Spent where the page may cost no more."""


class PostingLane:
    """The places where all terms agree."""

    def __init__(self, matches: Intersection) -> None:
        self._matches = matches
        self.finds: deque[Find] = deque()
        self.is_ended = False

    @property
    def position(self) -> str:
        return self._matches.position

    def fill(self, count: int) -> None:
        for _ in range(count):
            place = next(self._matches, None)
            if place is None:
                self.is_ended = True
                return
            self.finds.append((place, None))


class RecordLane:
    """All records, read with their places; `fetch` gives entities from a position on."""

    def __init__(self, fetch: Callable[[str, int], list[tuple[str, Entity]]], start: str) -> None:
        self._fetch = fetch
        self.position = start
        self.finds: deque[Find] = deque()
        self.is_ended = False

    def fill(self, count: int) -> None:
        count = min(count, MOST_LISTED)
        found = self._fetch(self.position, count)
        self.finds += found
        self.is_ended = len(found) < count
        if found:
            self.position = after(found[-1][0])


class Merged:
    """The finds of all lanes, newest first; `is_spent` where a lane may read no more."""

    def __init__(self, lanes: list[Lane], pool: Executor) -> None:
        self._lanes = lanes
        self._pool = pool
        self._last = ""
        self.is_spent = False

    def take(self, count: int, ahead: int | None = None) -> list[Find]:
        """So many finds; fewer at the end, and where the page has cost enough. A lane that has to
        read reads `ahead` finds, or a share of `count`."""
        taken: list[Find] = []
        while len(taken) < count and self._read(ahead or _share(count, len(self._lanes))):
            lane = min(
                (lane for lane in self._lanes if lane.finds), key=lambda one: one.finds[0][0]
            )
            taken.append(lane.finds.popleft())
            self._last = taken[-1][0]
        return taken

    def walk(self, ahead: int) -> Iterator[Find]:
        """All finds."""
        while found := self.take(1, ahead):
            yield from found

    @property
    def position(self) -> str:
        """Where the next page begins: right behind what was taken last, so that it holds what comes
        in between; where the page was spent, at the first place that was not looked at."""
        if not self.is_spent and self._last:
            return after(self._last)
        return min(
            lane.finds[0][0] if lane.finds else END if lane.is_ended else lane.position
            for lane in self._lanes
        )

    def _read(self, ahead: int) -> bool:
        """Has every lane know its next find, or that there is none; whether there is one."""
        while empty := [lane for lane in self._lanes if not lane.finds and not lane.is_ended]:
            if self.is_spent:
                return False
            list(self._pool.map(lambda lane: self._fill(lane, ahead), empty))
        return any(lane.finds for lane in self._lanes)

    def _fill(self, lane: Lane, ahead: int) -> None:
        try:
            lane.fill(ahead)
        except Spent:
            self.is_spent = True


def _share(count: int, lanes: int) -> int:
    """What a lane is likely to have of `count` finds, with room for chance: two deviations more
    than its part, so that hardly any has to read twice."""
    part = count / lanes
    return math.ceil(part + 2 * math.sqrt(part))
