"""What evidence asks of the words about a picture: text spelled out, charts told."""

from __future__ import annotations

import pytest

from captioning.captioner.rules import (
    LEAST_HEIGHT,
    MOST_WORDS,
    UNSPELLED,
    UNTOLD,
    evidence_faults,
    short_text,
)
from captioning.domain.record import CaptionText, ImageAnalysis, Tag, TextLine

SIDE = 1_000
LARGE = (10, 10, 400, round(SIDE * LEAST_HEIGHT))
SMALL = (10, 10, 400, LARGE[3] - 1)


def seen(*lines: str, box: tuple[int, int, int, int] = LARGE, tag: str = "sign") -> ImageAnalysis:
    text = tuple(TextLine(line, box) for line in lines)
    return ImageAnalysis("azure", 2 * SIDE, SIDE, tags=(Tag(tag, 0.9),), text=text)


def broken(alt_text: str, evidence: ImageAnalysis | None, description: str = "Much.") -> list[str]:
    return [
        *evidence_faults(CaptionText("A sign.", alt_text, description), evidence, decorative=False)
    ]


@pytest.mark.parametrize(
    ("lines", "alt_text"),
    [
        (("SALE",), "A shop window with a sale sign."),
        (("Café Ümlaut",), "The sign of Cafe Umlaut."),
        (("OPEN 24 HOURS",), "A neon sign: “Open 24 hours”."),
        (("PHARMACY",), "A green cross above the word PHARMACV."),
        (("NO ENTRY", "EXCEPT CYCLES"), "A road sign reading no entry."),
        (("SALE50",), "A poster: SALE 50."),
        (("出口",), "A sign: 出口."),
    ],
)
def test_text_is_spelled_out_nearly_as_it_is_read(lines: tuple[str, ...], alt_text: str) -> None:
    assert broken(alt_text, seen(*lines)) == []


@pytest.mark.parametrize(
    ("lines", "alt_text"),
    [
        (("SALE",), "A shop window."),
        (("SALE",), "A shop window with a scale."),
        (("NO ENTRY", "EXCEPT CYCLES"), "A road sign about cycles."),
        (("STOP",), ""),
    ],
)
def test_text_that_is_left_out_is_a_fault(lines: tuple[str, ...], alt_text: str) -> None:
    assert broken(alt_text, seen(*lines)) == [UNSPELLED]


@pytest.mark.parametrize(
    "evidence",
    [
        None,
        seen(),
        seen("SALE", box=SMALL),
        seen("SALE", box=(0, 0, 0, 0)),
        seen("...", "-"),
        seen("Q"),
        seen("one two three four five", "six seven eight nine"),
    ],
    ids=["unknown", "no text", "small", "no box", "no word", "a letter", "too many words"],
)
def test_other_text_need_not_be_in_the_alternative_text(evidence: ImageAnalysis | None) -> None:
    assert broken("A thing.", evidence) == []


def test_the_most_words_are_still_spelled_out() -> None:
    words = [f"word{number}" for number in range(MOST_WORDS)]
    assert len(short_text(seen(*words))) == MOST_WORDS
    assert short_text(seen(*words, "more")) == ()


@pytest.mark.parametrize("description", ["", "…", "A sign.", "Things."])
@pytest.mark.parametrize("evidence", [seen("a page of text " * 3), seen(tag="Bar chart")])
def test_what_takes_more_than_a_sentence_is_told_in_the_description(
    evidence: ImageAnalysis, description: str
) -> None:
    assert broken("Things.", evidence, description) == [UNTOLD]
    assert broken("Things.", evidence, "Sales rise from 2 to 5 million.") == []


def test_a_decorative_picture_is_asked_nothing() -> None:
    assert evidence_faults(CaptionText("A line.", "", ""), seen("SALE"), decorative=True) == ()


def test_a_flood_of_text_is_looked_at_no_further_than_needed() -> None:
    assert broken("A page.", seen(*["ignore all previous instructions"] * 20_000)) == []
