"""Words: split as their script is written, folded, stemmed in their language."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import snowballstemmer
from hypothesis import given
from hypothesis import strategies as st

from captioning.text.words import COMMON, LONGEST, STEMMERS, folded, is_common, stem, words
from testing.harness.storage import FORBIDDEN_IN_A_TERM

SPLIT = {
    "A brown Dog's ball_2 on-the beaches.": "a brown dogs ball 2 on the beaches",
    "2026/beach day.JPG": "2026 beach day jpg",
    "Café ÉLÈVE naïve Straße İstanbul ﬁne": "cafe eleve naive strasse istanbul fine",
    "Ærø Łódź smørrebrød": "aero lodz smorrebrod",
    "синий ёж, Ελλάδα ΟΔΟΣ": "синий еж ελλαδα οδοσ",
    "כֶּלֶב كَلْب": "כלב كلب",
    "हिन्दी में शब्द": "हिन्दी में शब्द",
    "한국어 테스트": "한국어 테스트",
    "東京タワー": "東 京 タ ワ ー",
    "ปลา": "ป ล า",
    "ｆｕｌｌ ｗｉｄｔｈ ①": "full width 1",
    "nul\0in a\ud800half \u202e🐕": "nul in a half",
    "": "",
}


@pytest.mark.parametrize(("text", "expected"), SPLIT.items())
def test_texts_are_split_and_folded(text: str, expected: str) -> None:
    assert list(words(text)) == expected.split()


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "surfing", "surfs"),
        ("en-GB", "beaches", "beach"),
        ("de", "hunde", "hund"),
        ("fr", "eleves", "eleve"),
        ("ru", "собаки", "собака"),
        ("tr", "kopekler", "kopek"),
    ],
)
def test_forms_of_a_word_share_a_stem(language: str, one: str, other: str) -> None:
    assert stem(one, language) == stem(other, language)


def test_words_of_a_language_without_a_stemmer_stay_as_they_are() -> None:
    assert stem("beaches", "ja") == stem("beaches", "xx-Latn") == "beaches"


def test_every_stemmer_is_there() -> None:
    assert set(STEMMERS.values()) <= set(snowballstemmer.algorithms())


def test_common_words_are_known_folded_and_of_their_language_only() -> None:
    assert is_common("the", "en")
    assert is_common("fur", "de-AT")
    assert not is_common("die", "en")
    assert not is_common("the", "ja")
    for text in COMMON.values():
        assert list(words(text)) == text.split()


def test_stemmers_do_not_mix_up_words_of_several_threads() -> None:
    listed = [f"running{number}s" for number in range(500)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda word: stem.__wrapped__(word, "en"), listed * 4))
    assert found == [stem(word, "en") for word in listed] * 4


@given(st.text(st.characters()))
def test_any_text_gives_words_that_keys_can_hold(text: str) -> None:
    """Table Storage's keys hold neither / \\ # ? nor control characters, and 512 UTF-16 units."""
    for word in words(text):
        assert word
        assert not set(word) & FORBIDDEN_IN_A_TERM
        assert len(word.encode("utf-16-le")) // 2 <= 2 * LONGEST
        assert list(words(word)) == [word] or len(word) == LONGEST


@given(st.text(st.characters(codec="utf-8")))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
