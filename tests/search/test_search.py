"""Searching real tables: which records, in which order, at which cost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from captioning.domain.record import CaptionRecord, Tag
from captioning.records.catalog import Catalog
from captioning.search import search
from captioning.search.query import Query, parse
from captioning.search.rows import BEGINNING, IndexedRecord, rows_of
from captioning.search.search import MOST_ENDINGS
from testing.factories.records import START, minutes, short
from testing.fakes.stores import MemoryIndex, MemoryRecords
from testing.harness.storage import Storage


def words(text: str, *tags: str, **more: Any) -> Query:
    return replace(parse(text, tags, ("en",)), **more)


def paths(catalog: Catalog, query: Query, limit: int = 3) -> list[str]:
    """The paths on all pages."""
    found: list[str] = []
    position: str | None = BEGINNING
    while position is not None:
        page = catalog.search(query, limit, position)
        found += [record.path for record in page.records]
        position = page.next
    return found


def filled(catalog: Catalog, *records: CaptionRecord) -> None:
    for record in records:
        catalog.save(record, None)


DOG = short("dog.png", minutes(1), caption="A dog.", tags=(Tag("dog", 0.9), Tag("Animal", 0.8)))
CAT = short("cat.png", minutes(2), caption="A cat.", tags=(Tag("animal", 0.9),))
BOTH = short("both.png", minutes(3), caption="Dogs chase a cat.", review="needed")
FAILED = short("x.png", minutes(4) - timedelta(days=40), caption=None, status="failed")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (words(""), "both.png cat.png dog.png x.png"),
        (words("dog "), "both.png dog.png"),
        (words("do"), "both.png dog.png"),
        (words("dog cat "), "both.png"),
        (words("cat -dog "), "cat.png"),
        (words("-dog "), "cat.png x.png"),
        (words('"chase a cat"'), "both.png"),
        (words('"cat chase"'), ""),
        (words("", "ANIMAL"), "cat.png dog.png"),
        (words("", "animal", "dog"), "dog.png"),
        (words("animal ", "dog"), "dog.png"),
        (words("", status="failed"), "x.png"),
        (words("png", review="none"), "cat.png dog.png x.png"),
        (words("", review="needed"), "both.png"),
        (words("", review="done"), ""),
        (words("dog ", since=minutes(2)), "both.png"),
        (words("", until=minutes(2)), "dog.png x.png"),
        (words("", since=minutes(1), until=minutes(3)), "cat.png dog.png"),
        (words("png ", since=START + timedelta(days=1)), ""),
        (words("nothing "), ""),
    ],
)
def test_what_is_asked_for_is_found(storage: Storage, query: Query, expected: str) -> None:
    filled(storage.catalog, DOG, CAT, BOTH, FAILED)
    assert paths(storage.catalog, query, 1) == paths(storage.catalog, query) == expected.split()


def test_leftovers_are_neither_found_nor_do_they_hide(storage: Storage) -> None:
    made = storage.catalog.save(DOG, None)
    rows = rows_of(made)
    newer = storage.catalog.save(replace(DOG, caption="A cat.", tags=()), made)
    storage.index.add(rows)
    assert paths(storage.catalog, words("dog ", "dog")) == []
    assert paths(storage.catalog, words("cat -animal ")) == ["dog.png"]
    storage.catalog.remove(newer)
    storage.index.add(rows)
    assert paths(storage.catalog, words("dog ")) == []


def test_a_beginning_of_too_many_words_is_looked_for_in_the_records(storage: Storage) -> None:
    """Here: in all of them, as nothing else is asked for."""
    for number in range(MOST_ENDINGS + 5):
        filled(storage.catalog, short(f"{number}.png", minutes(number), caption=f"Sea{number:03}."))
    filled(storage.catalog, DOG)
    assert len(paths(storage.catalog, words("sea"), 10)) == MOST_ENDINGS + 5
    assert paths(storage.catalog, words("sea00 sea001")) == []
    assert paths(storage.catalog, words("sea001")) == ["1.png"]


def test_a_page_that_costs_too_much_is_short_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little a page may cost, all pages together hold everything."""
    records, index = MemoryRecords(), MemoryIndex()
    with closing(Catalog(records, index)) as catalog:
        for number in range(300):
            caption = "A dog." if number % 2 else "A cat."
            if number in {0, 150, 299}:
                caption = "A dog and a cat."
            filled(catalog, short(f"{number}.png", minutes(number), caption=caption))
        expected = [f"{number}.png" for number in (299, 150, 0)]
        for most in (1, 7, 10_000):
            monkeypatch.setattr(search, "MOST_REQUESTS", most)
            assert paths(catalog, words("dog cat "), 5) == expected
        for most in (1, 7):
            monkeypatch.setattr(search, "MOST_RECORDS", most)
            assert paths(catalog, words('"cat" -"a cat and" "a dog and a cat"'), 5) == expected


def test_the_rare_word_decides_what_a_search_costs(storage: Storage) -> None:
    """500 images have the one word, four of them also the other."""
    for number in range(500):
        ghost = IndexedRecord.following(
            None, short(f"{number}.png", minutes(-number), caption="Common.")
        )
        storage.index.add(frozenset(row for row in ghost.rows if row.partition == "word~common"))
    for number in range(0, 500, 125):
        rare = short(f"rare{number}.png", minutes(-number), caption="Common and rare.")
        storage.catalog.save(rare, None)
    catalog, sent = storage.recorded_catalog()
    assert len(catalog.search(words("rare common "), 10).records) == 4
    assert len(sent) <= 2 + 4 + 4  # a page of each, a seek and a record for each that is found
