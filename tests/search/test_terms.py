"""The terms that a record is found by."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from captioning.domain.record import CaptionText, DetectedObject, Tag, TextLine
from captioning.search.terms import MOST_WORDS, Wording, month
from captioning.text.words import LONGEST_TAG, tag_key
from testing.factories.records import FULL, START, short


def test_a_record_is_found_by_all_it_says() -> None:
    terms = Wording(FULL).terms
    assert terms.upload == {"all~2026-11", "word~2026", "word~beach", "word~day", "word~jpg"}
    assert terms.content == {
        *("word~dog", "word~brown", "word~run", "word~sale", "word~pepsi", "word~hundin"),
        *("word~hund", "word~strand", "word~braun"),
        *("tag~dog", "tag~hundin"),
    }
    assert terms.state == {"status~deferred", "review~needed"}


def test_words_are_stemmed_in_their_language() -> None:
    record = short(
        "1.png",
        language="de",
        caption="Zwei Hunde.",
        text=(TextLine("Kein Zutritt für Hunde", (0, 0, 1, 1)),),
        translations={"en": CaptionText("Two dogs.", "Running dogs.")},
    )
    found = Wording(record).terms.content
    assert {"word~hund", "word~dog", "word~run", "word~zutritt"} <= found
    assert "word~fur" not in found


def test_nothing_is_kept_of_a_review_that_nobody_needs() -> None:
    assert Wording(short("a.jpg")).terms.state == {"status~captioned"}
    assert "review~done" in Wording(short("a.jpg", review="done")).terms.state


def test_a_long_text_is_found_by_its_first_words_and_the_path_always() -> None:
    lines = tuple(TextLine(f"w{number} w{number}", (0, 0, 1, 1)) for number in range(10_000))
    record = short("some/where.jpg", caption="First.", text=lines)
    words = [term for term in Wording(record).terms.content if term.startswith("word~")]
    assert len(words) == MOST_WORDS
    assert {"word~first", "word~w0", f"word~w{MOST_WORDS - 2}"} <= set(words)
    assert "word~where" in Wording(record).terms.upload


def test_a_word_of_the_path_is_not_kept_twice() -> None:
    record = short("dogs.jpg", caption="Dogs.")
    assert "word~dog" in Wording(record).terms.upload
    assert "word~dog" not in Wording(record).terms.content


def test_what_changes_with_an_upload_is_the_same_whatever_is_said_of_it() -> None:
    bare = short("a/b.jpg", language=None, caption=None)
    for other in (replace(bare, caption="A b."), replace(bare, language="de", status="failed")):
        assert Wording(other).terms.upload == Wording(bare).terms.upload


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
    assert Wording(record).terms.content == {"tag~dog", "word~dog"}


def test_objects_and_brands_are_found() -> None:
    found = DetectedObject("Frisbee", 0.9, (0, 0, 1, 1))
    record = short("a.jpg", caption=None, objects=(found,), brands=(replace(found, name="Pepsi"),))
    assert Wording(record).terms.content == {"word~frisbe", "word~pepsi"}


def test_a_month_begins_in_utc() -> None:
    east = timezone(timedelta(hours=9))
    assert month(datetime(2026, 12, 1, 8, 59, tzinfo=east)) == "all~2026-11"
    assert month(datetime(2026, 12, 1, 9, 0, tzinfo=east)) == "all~2026-12"
    assert month(START) == "all~2026-11"
