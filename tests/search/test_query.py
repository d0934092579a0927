"""Searches: how they are read, and which records answer them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.domain.record import FINAL, Provenance, Status, Tag, TextLine
from captioning.errors import BadRequest
from captioning.search.query import MOST_CHARACTERS, MOST_TERMS, Phrase, Query, parse
from testing.factories.records import START, short
from testing.harness.storage import FORBIDDEN_IN_A_TERM

RECORD = short(
    "2026/IMG_2034.jpg",
    caption="A brown dog runs along the beach.",
    alt_text="A running dog.",
    tags=(Tag("Golden Retriever", 0.9), Tag("outdoor", 0.8)),
    text=(TextLine("東京タワー", (0, 0, 1, 1)), TextLine("Café du Nord", (0, 0, 1, 1))),
    review="needed",
)
MATCHES = [
    *("", " ", "dog ", "DOGS ", "dog", "brown dog", "dog brown", "running", "runs "),
    *("bea", "dog bea", "outdo", "2026", "img", "IMG_20", "IMG_2034.jpg", "2034 "),
    *('"brown dog"', '"Dog runs along"', '"along the beach"', 'dog "beach"', '"the"', "the", "a "),
    *(
        "東京",
        "京タ",
        "東",
        "cafe",
        "CAFÉ nord",
        "-cat",
        "dog -cat",
        '-"dog brown"',
        'dog "the beach',
    ),
    *("retriever", '"golden retriever"', "golden-retriever ", "-the dog"),
]
MISSES = [
    *("cat", "dog cat", "dogg", "bea ", "d-og ", "do "),
    *('"dog brown"', '"dogs"', '"brown dog beach"', "京東", '"runs along beach"'),
    *("-dog", "dog -beach", '-"brown dog"', "-retriever", "-runs", "20345 ", '"the dog"'),
]


@pytest.mark.parametrize("text", MATCHES)
def test_what_is_said_is_found(text: str) -> None:
    assert parse(text, [], ("en",)).matches(RECORD)


@pytest.mark.parametrize("text", MISSES)
def test_what_is_not_said_is_not_found(text: str) -> None:
    assert not parse(text, [], ("en",)).matches(RECORD)


@pytest.mark.parametrize(
    ("tags", "is_found"),
    [
        (["golden retriever"], True),
        (["GOLDEN retriever", "outdoor", "outdoor"], True),
        (["retriever"], False),
        (["outdoor", "cat"], False),
        (["beach"], False),
    ],
)
def test_every_tag_is_wanted_as_a_whole(tags: list[str], is_found: bool) -> None:
    assert parse("", tags, ("en",)).matches(RECORD) is is_found


def test_states_and_times_are_wanted_too() -> None:
    second = timedelta(seconds=1)
    for found, change in {
        "status": ("captioned", "failed"),
        "review": ("needed", "none"),
        "since": (START, START + second),
        "until": (START + second, START),
    }.items():
        assert replace(Query(), **{found: change[0]}).matches(RECORD)  # type: ignore[arg-type]  # the values are of many types
        assert not replace(Query(), **{found: change[1]}).matches(RECORD)  # type: ignore[arg-type]  # likewise


@pytest.mark.parametrize("status", ["captioned", "rejected", "failed", "processing", "deferred"])
def test_records_that_were_made_otherwise_are_final_and_say_how_they_were_made(
    status: Status,
) -> None:
    query = replace(Query(), not_made="ab")
    assert query.needs_postings
    for fingerprint, is_stale in {"cd": True, "ab": False, None: False}.items():
        record = short("a.jpg", status=status, provenance=Provenance(fingerprint=fingerprint))
        assert query.matches(record) == (is_stale and status in FINAL)


def test_words_are_looked_for_in_every_language_of_the_app() -> None:
    german = short("1.png", language="de", caption="Die Hunde.")
    assert parse("hund ", [], ("de",)).matches(german)
    assert parse("Hunde ", [], ("en", "de")).matches(german)
    assert parse("die hunde ", [], ("de",)).matches(german)
    english = short("1.png", caption="They die.")
    assert (
        parse("die ", [], ("en",)) != parse("die ", [], ("en", "de")) == parse("", [], ("en", "de"))
    )
    assert parse("die ", [], ("en",)).matches(english)


def test_the_last_word_may_be_a_beginning() -> None:
    assert parse("beach sur", [], ("en",)).beginning == "sur"
    for whole in ("beach surf ", 'beach "surf"', "beach -surf", "s", "beach the", "東京", '"su'):
        assert parse(whole, [], ("en",)).beginning is None


def test_too_much_is_refused() -> None:
    parse("x" * MOST_CHARACTERS, [], ("en",))
    parse("cat " * MOST_TERMS, [], ("en",))
    for text, tags in (
        ("x" * (MOST_CHARACTERS + 1), []),
        ("cat " * (MOST_TERMS + 1), []),
        ("-cat " * MOST_TERMS, ["dog"]),
        ("", [str(number) for number in range(1000)]),
        ("東" * 400, []),
    ):
        with pytest.raises(BadRequest) as caught:
            parse(text, tags, ("en",))
        assert caught.value.reason == "bad_q"


@given(st.text(max_size=60), st.lists(st.text(max_size=9), max_size=3))
def test_any_text_is_a_search_or_refused(text: str, tags: list[str]) -> None:
    try:
        query = parse(text, tags, ("en", "de"))
    except BadRequest:
        return
    query.matches(RECORD)
    assert not any(set(term) & FORBIDDEN_IN_A_TERM for clause in query.clauses() for term in clause)
    assert len(query.digest) == 32


def test_phrases_are_told_from_words() -> None:
    query = parse('"golden retriever" -"old man" well-known ', [], ("en",))
    assert query.wanted == (
        Phrase(("golden", "retriever"), is_literal=True),
        Phrase(("well", "known")),
    )
    assert query.unwanted == (Phrase(("old", "man"), is_literal=True),)
