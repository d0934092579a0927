"""Searching real tables: which records, in which order, at which cost."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioning.domain.record import CaptionRecord, Provenance, Status, Tag
from captioning.errors import StorageUnavailable
from captioning.ports import Write
from captioning.records.catalog import Catalog
from captioning.records.layout import posting_key, postings_of
from captioning.search import merge, search
from captioning.search.dictionary import Dictionary
from captioning.search.places import BEGINNING, place_of
from captioning.search.query import Query, parse
from captioning.search.search import MOST_ENDINGS, MOST_MAKES
from testing.factories.records import START, minutes, short
from testing.fakes.faults import FaultInjector
from testing.fakes.stores import MemoryTable
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


def test_leftovers_are_neither_found_nor_do_they_hide() -> None:
    """Words that a record does not say any more, where its save was broken off before their
    postings were deleted."""
    injector = FaultInjector()
    table = injector.wrap(MemoryTable())
    with closing(Catalog(table, Dictionary(MemoryTable()), most_writes=6)) as catalog:
        made = catalog.save(DOG, None)
        injector.fail(2)
        newer = catalog.save(replace(DOG, caption="A cat.", tags=()), made)
        assert newer.rows > postings_of(newer.record)
        assert paths(catalog, words("animal ", "animal")) == []
        assert paths(catalog, words("dog ", "animal")) == []
        assert paths(catalog, words("cat -animal ")) == ["dog.png"]


def test_words_that_come_first_hide_nothing() -> None:
    """Postings are written before the text that asks for them: here it never came."""
    injector = FaultInjector()
    table = injector.wrap(MemoryTable())
    with closing(Catalog(table, Dictionary(MemoryTable()), most_writes=6)) as catalog:
        made = catalog.save(CAT, None)
        more = replace(CAT, caption="A cat and a dog on a beach by the sea with a ball.")
        injector.fail(2)
        with pytest.raises(StorageUnavailable):
            catalog.save(more, made)
        assert paths(catalog, words("cat -ball -beach -dog -sea ")) == ["cat.png"]
        for word in ("ball", "beach", "sea"):
            assert paths(catalog, words(f"{word} ")) == []


def test_records_that_were_made_otherwise_are_found(storage: Storage) -> None:
    made: list[tuple[str | None, Status]] = [
        *(("aa", "captioned"), ("bb", "captioned"), ("aa", "failed")),
        *((None, "captioned"), ("cc", "rejected"), ("bb", "deferred")),
    ]
    for number, (fingerprint, status) in enumerate(made):
        provenance = Provenance(fingerprint=fingerprint)
        record = short(f"{number}.png", minutes(number), status=status, provenance=provenance)
        filled(storage.catalog, record)
    for limit in (1, 10):
        for query, expected in {
            words("", not_made="bb"): "4.png 2.png 0.png",
            words("", not_made="aa"): "4.png 1.png",
            words("", not_made="zz", status="failed"): "2.png",
        }.items():
            assert paths(storage.catalog, query, limit) == expected.split()
    assert [r.path for r in storage.catalog.walk(words("", not_made="cc"))] == [
        *("2.png", "1.png", "0.png")
    ]


def test_a_search_for_what_was_made_otherwise_shrinks_as_records_are_made_again(
    storage: Storage,
) -> None:
    """So it resumes by itself: what was done is not found any more."""
    for number in range(12):
        record = short(f"{number}.png", minutes(number))
        filled(storage.catalog, replace(record, provenance=Provenance(fingerprint="old")))
    stale, left = words("", not_made="new"), 12
    while found := storage.catalog.search(stale, 5).records:
        for record in found:
            made = replace(record, provenance=Provenance(fingerprint="new"))
            storage.catalog.save(made, storage.catalog.get(record.path))
        left -= len(found)
    assert left == 0


def test_where_records_were_made_in_too_many_ways_all_are_looked_at() -> None:
    """None is left out, though some are never made again."""
    with closing(Catalog(MemoryTable(), Dictionary(MemoryTable()))) as catalog:
        count = 6 * MOST_MAKES
        for number in range(count):
            record = short(f"{number}.png", minutes(number))
            made = Provenance(fingerprint=f"{number:064x}")
            filled(catalog, replace(record, provenance=made))
        expected = [f"{number}.png" for number in reversed(range(count)) if number != 7]
        assert paths(catalog, words("", not_made=f"{7:064x}"), 20) == expected
        assert paths(catalog, words("7 ", not_made=f"{7:064x}"), 20) == []


def test_a_search_for_one_word_costs_a_request_for_each_partition_and_record(
    storage: Storage,
) -> None:
    for number in range(60):
        filled(storage.catalog, short(f"{number}.png", minutes(number), caption="A dog."))
    catalog, sent = storage.recorded_catalog()
    assert catalog.is_there()
    sent.clear()
    assert len(catalog.search(words("dog "), 20).records) == 20
    assert len(sent) <= 24


def test_few_matches_among_many_records_are_read_by_large_pages(storage: Storage) -> None:
    """A list that is filtered by the records alone: here one of 30 needs a review's absence."""
    for number in range(120):
        review = "none" if number % 30 == 0 else "needed"
        filled(storage.catalog, short(f"{number}.png", minutes(number), review=review))
    catalog, sent = storage.recorded_catalog()
    assert catalog.is_there()
    sent.clear()
    found = catalog.search(words("", review="none"), 20)
    assert [record.path for record in found.records] == ["90.png", "60.png", "30.png", "0.png"]
    assert len(sent) <= 4 * 5


def test_a_beginning_of_too_many_words_is_looked_for_in_the_records(storage: Storage) -> None:
    """Here: in all of them, as nothing else is asked for."""
    for number in range(MOST_ENDINGS + 5):
        filled(storage.catalog, short(f"{number}.png", minutes(number), caption=f"Sea{number:03}."))
    filled(storage.catalog, DOG)
    assert len(paths(storage.catalog, words("sea"), 10)) == MOST_ENDINGS + 5
    assert paths(storage.catalog, words("sea00 sea001")) == []
    assert paths(storage.catalog, words("sea001")) == ["1.png"]


@pytest.mark.parametrize("readers", [1, 16])
@pytest.mark.parametrize("most", [1, 2, 7, 10_000])
def test_a_page_that_costs_too_much_is_short_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, most: int, readers: int
) -> None:
    """However little a page may cost, all pages together hold everything, in its order."""
    with closing(Catalog(MemoryTable(), Dictionary(MemoryTable()), readers=readers)) as catalog:
        for number in range(300):
            caption = "A dog." if number % 2 else "A cat."
            if number in {0, 150, 299}:
                caption = "A dog and a cat."
            filled(catalog, short(f"{number}.png", minutes(number), caption=caption))
        expected = [f"{number}.png" for number in (299, 150, 0)]
        monkeypatch.setattr(search, "MOST_REQUESTS", most)
        assert paths(catalog, words("dog cat "), 5) == expected
        assert paths(catalog, words("dog ca"), 1) == expected
        monkeypatch.setattr(search, "MOST_RECORDS", most)
        for query in ('"cat" -"a cat and" "a dog and a cat"', "dog cat ", "cat -a -dog "):
            plain = words(query)
            held = [record.path for record in catalog.walk() if plain.matches(record)]
            assert paths(catalog, plain, 5) == held
        since = words("-cat ", since=minutes(100), until=minutes(200))
        assert paths(catalog, since, 5) == [f"{n}.png" for n in range(199, 99, -2)]


@given(
    st.lists(st.sampled_from(["dog", "cat", "dog cat", "sea", "seal dog"]), max_size=60),
    st.sampled_from(["dog ", "cat dog ", "-cat ", "dog -cat ", "se", "dog se", '"dog cat"', ""]),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 5),
)
@settings(max_examples=40, deadline=None)
def test_a_tiny_budget_loses_nothing(
    captions: list[str], text: str, requests: int, records: int, limit: int
) -> None:
    query = words(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "MOST_REQUESTS", requests)
        patch.setattr(search, "MOST_RECORDS", records)
        patch.setattr(merge, "FIRST_ROWS", 1)
        patch.setattr(merge, "MOST_ROWS", 2)
        with closing(Catalog(MemoryTable(), Dictionary(MemoryTable()))) as catalog:
            for number, caption in enumerate(captions):
                filled(catalog, short(f"{number}.png", minutes(number % 7), caption=caption))
            held = [record.path for record in catalog.walk() if query.matches(record)]
            assert paths(catalog, query, limit) == held


def test_the_rare_word_decides_what_a_search_costs(storage: Storage) -> None:
    """500 images have the one word, four of them also the other."""
    for number in range(500):
        place = place_of(short(f"{number}.png", minutes(-number)))
        key = {"PartitionKey": str(number % 4), "RowKey": posting_key("word~common", place)}
        storage.table.transact([Write("upsert", key)])
    for number in range(0, 500, 125):
        rare = short(f"rare{number}.png", minutes(-number), caption="Common and rare.")
        storage.catalog.save(rare, None)
    catalog, sent = storage.recorded_catalog()
    assert catalog.is_there()
    sent.clear()
    assert len(catalog.search(words("rare common "), 10).records) == 4
    assert len(sent) <= 4 * 2 + 4 + 4  # a page of each, a seek and a record for each that is found
