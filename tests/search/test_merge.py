"""Merging partitions: where all agree, with as few requests as that takes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.search.merge import (
    FIRST_ROWS,
    MOST_ROWS,
    Intersection,
    Months,
    PostingCursor,
    Source,
    Union,
)
from captioning.search.rows import BEGINNING, END, IndexRow, after

PLACES = [f"{number:014d}-{'ab' * 32}" for number in range(2_000)]
NONE: Sequence[Source] = ()
UPLOADS = [1_793_900_000_000, 1_792_000_000_000, 1_767_300_000_000]
"""Milliseconds, one in each of three months."""


class Rows:
    """Partitions in memory; what is asked for is counted."""

    def __init__(self, **partitions: Sequence[tuple[int, str]]) -> None:
        self._rows = {
            name: sorted(IndexRow(name, f"{PLACES[number]}-{version}") for number, version in rows)
            for name, rows in partitions.items()
        }
        self.sizes: list[int] = []

    def fetch(self, partition: str, start: str, end: str, size: int) -> list[IndexRow]:
        self.sizes.append(size)
        rows = self._rows.get(partition, [])
        return [row for row in rows if start <= row.row < end][:size]

    def source(self, name: str, end: str = END) -> PostingCursor:
        return PostingCursor(self.fetch, name, end)


def numbers(places: Intersection | list[str]) -> list[int]:
    return [PLACES.index(place) for place in places]


def plain(*found: int) -> list[tuple[int, str]]:
    return [(number, "v1") for number in found]


@given(
    st.lists(st.sets(st.integers(0, 300)), min_size=1, max_size=4),
    st.lists(st.sets(st.integers(0, 300)), max_size=2),
    st.integers(0, 300),
)
def test_it_is_what_sets_have_in_common(
    wanted: list[set[int]], unwanted: list[set[int]], start: int
) -> None:
    every = {f"p{number}": plain(*found) for number, found in enumerate([*wanted, *unwanted])}
    rows = Rows(**every)
    sources = [rows.source(name) for name in every]
    found = Intersection(sources[: len(wanted)], sources[len(wanted) :], PLACES[start])
    expected = set.intersection(*wanted) - set().union(*unwanted)
    assert numbers(found) == sorted(number for number in expected if number >= start)


@given(st.lists(st.sets(st.integers(0, 100)), min_size=1, max_size=4), st.sets(st.integers(0, 100)))
def test_any_of_several_is_what_sets_have_together(
    any_of: list[set[int]], wanted: set[int]
) -> None:
    every = {f"p{number}": plain(*found) for number, found in enumerate([wanted, *any_of])}
    rows = Rows(**every)
    first, *others = [rows.source(name) for name in every]
    found = Intersection([first, Union(others)], NONE, BEGINNING)
    assert numbers(found) == sorted(wanted & set().union(*any_of))


def test_a_place_with_several_versions_comes_once() -> None:
    rows = Rows(a=[(1, "v1"), (1, "v2"), (2, "v1")], b=[(1, "v3"), (2, "v1"), (2, "v2")])
    assert numbers(Intersection([rows.source("a"), rows.source("b")], NONE, BEGINNING)) == [1, 2]


@pytest.mark.parametrize(
    ("wanted", "unwanted", "is_left"),
    [
        ([(1, "v1")], [(1, "v1")], False),
        ([(1, "v1")], [(1, "v1"), (1, "v2")], False),
        ([(1, "v1")], [(1, "v2")], True),
        ([(1, "v1"), (1, "v2")], [(1, "v1")], True),
        ([(1, "v1")], [(2, "v1")], True),
    ],
)
def test_what_may_be_a_leftover_excludes_nothing(
    wanted: list[tuple[int, str]], unwanted: list[tuple[int, str]], is_left: bool
) -> None:
    """An unwanted row counts where it is of the same save as every wanted one."""
    rows = Rows(a=wanted, b=unwanted)
    found = numbers(Intersection([rows.source("a")], [rows.source("b")], BEGINNING))
    assert found == ([1] if is_left else [])


def test_versions_that_a_page_cuts_off_are_not_taken_for_all() -> None:
    """The last row of a full page may not be the last of its place."""
    before = plain(*range(FIRST_ROWS - 1))
    rows = Rows(a=[*before, (500, "v1"), (500, "v2")], b=[(500, "v1")])
    assert 500 in numbers(Intersection([rows.source("a")], [rows.source("b")], BEGINNING))


def test_common_with_rare_costs_what_the_rare_one_holds() -> None:
    rows = Rows(common=plain(*range(2_000)), rare=plain(7, 500, 1_500))
    found = Intersection([rows.source("common"), rows.source("rare")], NONE, BEGINNING)
    assert numbers(found) == [7, 500, 1_500]
    assert len(rows.sizes) <= 1 + 2 * 3
    assert max(rows.sizes) <= 2 * FIRST_ROWS


def test_common_with_common_reads_more_at_a_time() -> None:
    rows = Rows(even=plain(*range(0, 2_000, 2)), all=plain(*range(2_000)))
    found = Intersection([rows.source("even"), rows.source("all")], NONE, BEGINNING)
    assert len(numbers(found)) == 1_000
    assert len(rows.sizes) <= 13
    assert max(rows.sizes) == MOST_ROWS


def test_what_is_behind_the_end_is_not_asked_for() -> None:
    rows = Rows(a=plain(*range(10)))
    found = Intersection([rows.source("a", end=after(PLACES[4]))], NONE, PLACES[2])
    assert numbers(found) == [2, 3, 4]


def test_months_follow_each_other() -> None:
    """Month by month, from that of a position on, to that of the end."""
    listed = ["2026-11", "2026-10", "2026-01"]
    places = {
        month: f"{10**14 - 1 - at:014d}-{'ab' * 32}"
        for month, at in zip(listed, UPLOADS, strict=True)
    }
    asked: list[str] = []

    def fetch(partition: str, start: str, end: str, size: int) -> list[IndexRow]:
        asked.append(partition)
        row = IndexRow(partition, f"{places[partition.removeprefix('all~')]}-v1")
        return [row][:size] if start <= row.row < end else []

    def found(start: str, end: str) -> list[str]:
        asked.clear()
        return [*Intersection([Months(fetch, lambda: listed, end)], NONE, start)]

    assert found(BEGINNING, END) == list(places.values())
    assert found(after(places["2026-11"]), END) == [places["2026-10"], places["2026-01"]]
    assert asked == ["all~2026-11", "all~2026-10", "all~2026-01"]
    assert found(BEGINNING, after(places["2026-10"])) == [places["2026-11"], places["2026-10"]]
    assert "all~2026-01" not in asked


def test_what_is_passed_is_done_with_when_a_read_fails() -> None:
    rows = Rows(a=plain(*range(0, 2_000, 2)), b=plain(*range(1_999, 2_000)))
    broken = False

    def fetch(partition: str, start: str, end: str, size: int) -> list[IndexRow]:
        if broken:
            raise ConnectionError
        return rows.fetch(partition, start, end, size)

    sources = [PostingCursor(fetch, name, END) for name in ("a", "b")]
    for source in sources:
        source.seek(BEGINNING)
    broken = True
    found = Intersection(sources, NONE, BEGINNING)
    with pytest.raises(ConnectionError):
        next(found)
    assert found.position == PLACES[1_999]
