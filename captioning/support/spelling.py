"""Whether words are in a text that was read in a picture, and so may have a few wrong letters."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from captioning.text.words import words

LETTERS_PER_EDIT = 4
"""A word may differ by one letter for each four that it has."""
MOST_EDITS = 2
MOST_WORDS = 2_000
"""Words of the texts that are read; further ones count as missing."""


class Spelling:
    """The folded words of some texts, which are found in similar spellings too."""

    def __init__(self, texts: Iterable[str]) -> None:
        every = (word for text in texts for word in words(text))
        self._words = frozenset(islice(every, MOST_WORDS))
        self._by_length: dict[int, list[str]] = {}
        for word in self._words:
            self._by_length.setdefault(len(word), []).append(word)
        self._joined = " ".join(self._words)

    def __bool__(self) -> bool:
        return bool(self._words)

    def has(self, text: str) -> bool:
        """Whether all words of the text are there, in this spelling."""
        return all(word in self._words for word in words(text))

    def missing(self, text: str) -> tuple[list[str], int]:
        """The words of the text that are missing in any similar spelling, and the number of all its
        words."""
        asked = list(words(text))
        return [word for word in asked if not self._is_near(word)], len(asked)

    def _is_near(self, word: str) -> bool:
        if word in self._words:
            return True
        most = min(MOST_EDITS, len(word) // LETTERS_PER_EDIT)
        if not most or word.isdecimal():
            return False
        if len(word) > LETTERS_PER_EDIT and word in self._joined:
            return True  # read as one word with its neighbour
        lengths = range(len(word) - most, len(word) + most + 1)
        return any(
            edits(word, other, most) <= most
            for length in lengths
            for other in self._by_length.get(length, ())
        )


def edits(one: str, other: str, most: int) -> int:
    """The edit distance of two words: letters to insert, delete or replace. Any number above `most`
    if it is more than that."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        before, row = row, [i]
        for j, another in enumerate(other, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != another)))
        if min(row) > most:
            return most + 1
    return row[-1]
