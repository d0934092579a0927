"""Merging posting lists: where all agree, with as few requests as that takes."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.search.merge import (
    FIRST_ROWS,
    MOST_ROWS,
    Intersection,
    PostingCursor,
    Union,
)
from captioning.search.places import BEGINNING, END, after

PLACES = [f"{number:014d}-{'ab' * 32}" for number in range(2_000)]


class Rows:
    """Posting lists in memory; what is asked for is counted."""

    def __init__(self, **lists: Iterable[int]) -> None:
        self._lists = {term: [PLACES[n] for n in sorted(found)] for term, found in lists.items()}
        self.sizes: list[int] = []

    def fetch(self, term: str, start: str, end: str, size: int) -> list[str]:
        self.sizes.append(size)
        return [place for place in self._lists.get(term, []) if start <= place < end][:size]

    def source(self, term: str, end: str = END) -> PostingCursor:
        return PostingCursor(self.fetch, term, end)


def numbers(places: Iterable[str]) -> list[int]:
    return [PLACES.index(place) for place in places]


@given(st.lists(st.sets(st.integers(0, 300)), min_size=1, max_size=4), st.integers(0, 300))
def test_it_is_what_sets_have_in_common(wanted: list[set[int]], start: int) -> None:
    every = {f"p{number}": found for number, found in enumerate(wanted)}
    rows = Rows(**every)
    found = Intersection([rows.source(name) for name in every], PLACES[start])
    expected = set.intersection(*wanted)
    assert numbers(found) == sorted(number for number in expected if number >= start)


@given(st.lists(st.sets(st.integers(0, 100)), min_size=1, max_size=4), st.sets(st.integers(0, 100)))
def test_any_of_several_is_what_sets_have_together(
    any_of: list[set[int]], wanted: set[int]
) -> None:
    every = {f"p{number}": found for number, found in enumerate([wanted, *any_of])}
    rows = Rows(**every)
    first, *others = [rows.source(name) for name in every]
    found = Intersection([first, Union(others)], BEGINNING)
    assert numbers(found) == sorted(wanted & set().union(*any_of))


def test_of_no_terms_none_is_found() -> None:
    assert list(Intersection([Rows(a=[1]).source("a"), Union([])], BEGINNING)) == []


def test_common_with_rare_costs_what_the_rare_one_holds() -> None:
    rows = Rows(common=range(2_000), rare=[7, 500, 1_500])
    found = Intersection([rows.source("common"), rows.source("rare")], BEGINNING)
    assert numbers(found) == [7, 500, 1_500]
    assert len(rows.sizes) <= 1 + 2 * 3
    assert max(rows.sizes) <= 2 * FIRST_ROWS


def test_common_with_common_reads_more_at_a_time() -> None:
    rows = Rows(even=range(0, 2_000, 2), all=range(2_000))
    found = Intersection([rows.source("even"), rows.source("all")], BEGINNING)
    assert len(numbers(found)) == 1_000
    assert len(rows.sizes) <= 13
    assert max(rows.sizes) == MOST_ROWS


def test_what_is_behind_the_end_is_not_asked_for() -> None:
    rows = Rows(a=range(10))
    found = Intersection([rows.source("a", end=after(PLACES[4]))], PLACES[2])
    assert numbers(found) == [2, 3, 4]


def test_what_is_passed_is_done_with_when_a_read_fails() -> None:
    rows = Rows(a=range(0, 2_000, 2), b=[1_999])
    broken = False

    def fetch(term: str, start: str, end: str, size: int) -> list[str]:
        if broken:
            raise ConnectionError
        return rows.fetch(term, start, end, size)

    sources = [PostingCursor(fetch, name, END) for name in ("a", "b")]
    for source in sources:
        source.seek(BEGINNING)
    broken = True
    found = Intersection(sources, BEGINNING)
    with pytest.raises(ConnectionError):
        next(found)
    assert found.position == PLACES[1_999]
