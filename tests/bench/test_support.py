"""The figures about support in docs/captions.md are those that are measured."""

from __future__ import annotations

import re

import pytest

from bench.quality.support import blind, of_verdicts, of_words, pairs
from captioning.config.definitions import SETTINGS
from testing.markdown import CAPTIONS, section

PAGE = section(CAPTIONS, "Support")
[THRESHOLD] = [
    float(setting.default) for setting in SETTINGS if setting.name == "SUPPORT_THRESHOLD"
]


def test_the_set_is_large_enough() -> None:
    assert len(list(pairs())) >= 200


@pytest.mark.parametrize("half", ["tuning", "held out"])
def test_the_figures_are_as_told(half: str) -> None:
    some = [pair for pair in pairs() if pair.half == half]
    words, verdicts = of_words(some), of_verdicts(some, THRESHOLD)
    figures = [words.precision, words.recall, verdicts.precision, verdicts.recall]
    row = f"| {half} | {len(some)} | " + " | ".join(f"{figure:.2f}" for figure in figures)
    assert row in PAGE


def test_the_trade_is_as_told() -> None:
    wrong, apart, shown = blind(list(pairs()))
    assert f"Of {wrong} captions" in PAGE
    assert f"finds {apart}" in PAGE
    assert f"finds {shown}" in PAGE


def test_every_kind_of_caption_is_told() -> None:
    told = set(re.findall(r"^\| ([a-z ]+) \| \d+ \| \d+ of", PAGE, re.MULTILINE))
    assert told == {pair.kind for pair in pairs()}
