"""The terms that a record is found by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from captioning.domain.record import (
    CaptionText,
    DetectedObject,
    Status,
    Tag,
    TextLine,
    record_id,
)
from captioning.search.terms import MOST_WORDS, Wording
from captioning.text.words import LONGEST_TAG, tag_key
from testing.factories.records import FULL, short

BARE = {"word~jpg", "status~captioned"}
"""The terms of `a.jpg` without any text: `a` is a common word."""


def test_a_record_is_found_by_all_it_says() -> None:
    assert Wording(FULL).terms == {
        *("word~2026", "word~beach", "word~day", "word~jpg"),
        *("word~dog", "word~brown", "word~run", "word~sale", "word~pepsi", "word~hundin"),
        *("word~hund", "word~strand", "word~braun"),
        *("tag~dog", "tag~hundin"),
        *("status~deferred", "review~needed"),
        f"from~{record_id('other.jpg')}",
    }


@pytest.mark.parametrize("status", ["captioned", "rejected", "failed"])
def test_a_final_record_is_found_by_how_it_was_made(status: Status) -> None:
    made = replace(FULL, status=status)
    assert f"made~{made.provenance.fingerprint}" in Wording(made).terms
    unknown = replace(made, provenance=replace(made.provenance, fingerprint=None))
    assert not any(term.startswith("made~") for term in Wording(unknown).terms)


def test_words_are_stemmed_in_their_language() -> None:
    record = short(
        "1.png",
        language="de",
        caption="Zwei Hunde.",
        text=(TextLine("Kein Zutritt für Hunde", (0, 0, 1, 1)),),
        translations={"en": CaptionText("Two dogs.", "Running dogs.")},
    )
    found = Wording(record).terms
    assert {"word~hund", "word~dog", "word~run", "word~zutritt"} <= found
    assert "word~fur" not in found


def test_nothing_is_kept_of_a_review_that_nobody_needs() -> None:
    assert not any(term.startswith("review~") for term in Wording(short("a.jpg")).terms)
    assert "review~done" in Wording(short("a.jpg", review="done")).terms


def test_a_long_text_is_found_by_its_first_words_and_the_path_always() -> None:
    lines = tuple(TextLine(f"w{number} w{number}", (0, 0, 1, 1)) for number in range(10_000))
    record = short("some/where.jpg", caption="First.", text=lines)
    path = {"word~some", "word~where", "word~jpg"}
    words = {term for term in Wording(record).terms if term.startswith("word~")}
    assert len(words - path) == MOST_WORDS
    assert {"word~first", "word~w0", f"word~w{MOST_WORDS - 2}"} <= words
    assert path <= words


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Golden  Retriever", "golden retriever"),
        ("Hündin 🐕", "hundin"),
        ("a/b#?\\c", "a b c"),
        ("🐕", "%F0%9F%90%95"),
        (" ", ""),
        ("\ud800", "%3F"),
        ("x" * 5000, "x" * 64),
        ("ab " * 500, ("ab " * 500)[:LONGEST_TAG]),
    ],
)
def test_a_tag_has_a_key(name: str, key: str) -> None:
    assert tag_key(name) == key


def test_tags_without_a_key_are_left_out() -> None:
    record = short("a.jpg", caption=None, tags=(Tag(" ", 1.0), Tag("Dog", 1.0), Tag("dog", 0.7)))
    assert Wording(record).terms == {"tag~dog", "word~dog", *BARE}


def test_objects_and_brands_are_found() -> None:
    found = DetectedObject("Frisbee", 0.9, (0, 0, 1, 1))
    record = short("a.jpg", caption=None, objects=(found,), brands=(replace(found, name="Pepsi"),))
    assert Wording(record).terms == {"word~frisbe", "word~pepsi", *BARE}
