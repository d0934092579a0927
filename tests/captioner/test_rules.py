"""The length and wording rules of captions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.captioner.rules import (
    ALT_TEXT,
    DESCRIPTION,
    cut,
    repaired,
    text_faults,
)
from captioning.captioner.sentences import first_sentence
from captioning.captioner.wording import opening, without_opening
from captioning.domain.record import CaptionText
from captioning.text.visible import MOST, has_words, tidy, visible

NOT_ITS_NAME = "alt_text must say what the picture shows, not its name or kind"


def text(caption: str = "A cat.", alt_text: str = "A cat.", description: str = "") -> CaptionText:
    return CaptionText(caption, alt_text, description)


@pytest.mark.parametrize(
    ("given_text", "rule"),
    [
        (text(caption=""), "caption must not be empty"),
        (text(caption="…"), "caption must not be empty"),
        (text(caption="x" * 301), "caption must have at most 300 characters"),
        (text(caption="Photo of a cat."), 'caption must not open with "image of" or the like'),
        (text(alt_text=" "), "alt_text must not be empty unless decorative"),
        (text(alt_text="x" * 126), "alt_text must have at most 125 characters"),
        (text(alt_text="A cat. It sleeps."), "alt_text must be one sentence"),
        (text(alt_text="An image."), NOT_ITS_NAME),
        (text(alt_text="IMG_2041.jpeg"), NOT_ITS_NAME),
        (text(alt_text="DSC-0042"), NOT_ITS_NAME),
        (text(alt_text="“photo 3”"), NOT_ITS_NAME),
        (text(alt_text="An image of a cat"), 'alt_text must not open with "image of" or the like'),
        (text(description="x" * 1_001), "description must have at most 1000 characters"),
    ],
)
def test_each_rule_is_named(given_text: CaptionText, rule: str) -> None:
    assert text_faults(given_text, decorative=False) == (rule,)
    assert text_faults(repaired(given_text, decorative=False), decorative=False) == (
        (rule,) if "caption must not be empty" in rule else ()
    )


@pytest.mark.parametrize(
    "alt_text",
    ["A photo album.", "Imaging device.", "Picture frame", "DSC is a band.", "See a.jpg there."],
)
def test_what_only_begins_like_a_name_says_something(alt_text: str) -> None:
    assert text_faults(text(alt_text=alt_text), decorative=False) == ()


def test_text_at_the_limits_is_right() -> None:
    fine = text("x" * 300, "x" * 125, "x" * 1_000)
    assert text_faults(fine, decorative=False) == ()
    assert repaired(fine, decorative=False) == fine


@pytest.mark.parametrize("alt_text", ["", "A line.", "x" * 200])
def test_a_decorative_picture_has_an_empty_alt_text(alt_text: str) -> None:
    given_text = text(alt_text=alt_text)
    assert text_faults(given_text, decorative=True) == ()
    assert repaired(given_text, decorative=True).alt_text == ""


def test_an_empty_alt_text_becomes_the_caption() -> None:
    assert repaired(text("A cat. It sleeps.", ""), decorative=False).alt_text == "A cat."


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        ("An image of a cat", "A cat"),
        ("Picture of two dogs.", "Two dogs."),
        ("photo of iris", "Iris"),
        ("This photograph shows a bridge.", "A bridge."),
        ("The image depicts a sign.", "A sign."),
        ("In this picture, a man waves.", "A man waves."),
        ("A picture of a photo of a cat.", "A cat."),
        ("The picture is of a lake.", "A lake."),
    ],
)
def test_banned_openings_are_stripped(said: str, rest: str) -> None:
    assert opening(said)
    assert without_opening(said) == rest


@pytest.mark.parametrize(
    "said",
    ["A picture frame on a wall.", "Imaging of a knee.", "A black and white photo of a man.", "A"],
)
def test_other_openings_stay(said: str) -> None:
    assert not opening(said)
    assert without_opening(said) == said


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("A cat. A dog.", "A cat."),
        ("A cat! Then a dog.", "A cat!"),
        ("A cat… A dog.", "A cat…"),
        ('A sign says "STOP." A man waits.', 'A sign says "STOP."'),
        ("猫がいる。犬もいる。", "猫がいる。"),
        ("यह बिल्ली है। वह कुत्ता है।", "यह बिल्ली है।"),
        ("Un chat. Élan vital.", "Un chat."),
    ],
)
def test_the_first_sentence_ends_where_it_ends(said: str, first: str) -> None:
    assert first_sentence(said) == first


@pytest.mark.parametrize(
    "said",
    [
        "A cat.",
        "St. Paul's Cathedral with Dr. Smith and J. Doe in front.",
        "A U.S. Navy ship at No. 5 Dock.",
        "A 3.5 litre engine, approx. 2 m long.",
        'A sign reading "STOP. Go back. NOW." in red.',
        "Ein Schild mit „Halt. Nicht weiter.“ darauf.",
        "A cat... and a dog.",
        "猫がいる。",
    ],
)
def test_one_sentence_is_one(said: str) -> None:
    assert first_sentence(said) == said


def test_the_cut_is_after_a_whole_word() -> None:
    assert cut("A red car, parked", 11) == "A red car…"
    assert cut("A red car parked", 10) == "A red car…"
    assert cut("A red car (parked)", 12) == "A red car…"
    assert cut("short", 5) == "short"
    assert cut("x" * 20, 5) == "xxxx…"
    assert cut("é" * 2 + "e\u0301" * 9, 6) == "éée\u0301…"


@given(st.text(max_size=400), st.integers(min_value=2, max_value=200))
def test_a_cut_text_fits_and_opens_as_before(said: str, limit: int) -> None:
    short = cut(said, limit)
    assert len(short) <= limit
    assert short == said or said.startswith(short.removesuffix("…"))


@given(st.text(max_size=400))
def test_a_mended_text_breaks_no_rule_but_emptiness(said: str) -> None:
    given_text = text("A cat.", tidy(said), tidy(said))
    fixed = repaired(given_text, decorative=False)
    assert len(fixed.alt_text) <= ALT_TEXT
    assert not opening(fixed.alt_text)
    fixed.alt_text.encode()


def test_what_cannot_be_seen_is_removed() -> None:
    hidden = "\u202e\u200b\ufeff\x00\x1b\ud800\U000e0041\U000e0101\u3164"
    assert tidy(f" a{hidden}b\n c\t") == "ab c"
    assert visible("a\u200db\r\nc") == "ab  c"
    assert tidy("می\u200cخواهم") == "می\u200cخواهم"


def test_words_need_a_letter_or_digit() -> None:
    assert has_words("7")
    assert not has_words("… !")


def test_nothing_hides_in_a_text() -> None:
    hidden = "\u034f\u17b4\u2065\ufe05\ufff0\U000e0002\U000e0041\U000e0fff"
    assert visible(f"a{hidden}b") == tidy(f"a{hidden}b") == "ab"
    assert tidy("❤\ufe0f\u200d🔥 می\u200cخواهم") == "❤\ufe0f\u200d🔥 می\u200cخواهم"
    assert tidy("a\u200c\u200d\u200c\u200c\u200db\ufe0f\u200d\ufe0ec") == "a\u200cb\ufe0f\u200dc"


def test_a_text_without_end_is_looked_at_as_far_as_it_matters() -> None:
    assert tidy("x" * 100_000) == "x" * MOST
    assert min(MOST, DESCRIPTION) == DESCRIPTION
