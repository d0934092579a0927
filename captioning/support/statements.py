"""What an English caption states: nouns, counts, colours, names and quoted text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from captioning.support.lexicon import (
    BEFORE_NOUNS,
    COLOURS,
    DATA,
    LONGEST,
    NEGATION_ENDS,
    NEGATIONS,
    NUMBERS,
    BroaderTerms,
)

_QUOTED = re.compile(
    r"“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»|「([^」]+)」|\"([^\"]+)\"|‘([^’]+)’(?!\w)|(?<!\w)'([^']+)'(?!\w)"
)
_TOKEN = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*|\d+(?:[.,:]\d+)*|[.,;:!?()–—]")
_STOPS = frozenset(".,;:!?()–—")
_AT_CAMERA = re.compile(r"\b(?:at|for|toward|towards|into|facing)\s+(?:the\s+)?(?:camera|lens)\b")


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun as it is written, the concepts that it may mean, and what is said about it."""

    text: str
    lemma: str
    concepts: tuple[str, ...]
    is_denied: bool = False
    count: int | None = None
    count_text: str = ""
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Statements:
    """What a text states. `colours` are all in it; `names` are groups of capitalised words that are
    no nouns."""

    nouns: tuple[Noun, ...]
    colours: tuple[str, ...]
    names: tuple[str, ...]
    quoted: tuple[str, ...]


@cache
def unjudged_words() -> frozenset[str]:
    """Nouns that say nothing about what can be seen."""
    lines = (DATA / "unjudged_words.txt").read_text("utf-8").splitlines()
    return frozenset(w for line in lines if not line.startswith("#") for w in line.split())


def quoted_texts(text: str) -> tuple[str, ...]:
    """The texts in quotation marks."""
    return tuple(next(filter(None, found.groups())) for found in _QUOTED.finditer(text))


def marked_names(text: str) -> tuple[str, ...]:
    """Words that look like names in any language: those with capital letters inside, such as NASA
    or iPhone. None if the whole text is in capitals."""
    bare = _QUOTED.sub(" ; ", text)
    found = re.findall(r"\b(?:[A-Z]{2,}[\w&-]*|[a-z]+[A-Z]\w*)\b", bare)
    return () if bare.isupper() else tuple(dict.fromkeys(found))


def numbers(text: str) -> tuple[str, ...]:
    """The numbers of two digits or more, outside quotation marks."""
    return tuple(dict.fromkeys(re.findall(r"\b\d[\d.,:]*\d\b", _QUOTED.sub(" ; ", text))))


def statements(text: str, table: BroaderTerms) -> Statements:
    """The statements of an English text."""
    bare = _AT_CAMERA.sub(" ", _QUOTED.sub(" , ", text))
    tokens = [_bare(token) for token in _TOKEN.findall(bare)]
    reader = _Reader(tokens, table)
    nouns = tuple(reader.nouns())
    return Statements(
        nouns,
        tuple(token.lower() for token in tokens if token.lower() in COLOURS),
        tuple(reader.names()),
        quoted_texts(text),
    )


def _bare(token: str) -> str:
    return re.sub(r"['’]s$", "", token)


class _Reader:
    """Reads nouns and names from the tokens of a text; nouns first, since names are the rest."""

    def __init__(self, tokens: list[str], table: BroaderTerms) -> None:
        self._tokens = tokens
        self._lower = [token.lower() for token in tokens]
        self._table = table
        self._used: set[int] = set()

    def nouns(self) -> Iterator[Noun]:
        """The nouns in their order, each with what is said about it."""
        at, denied = 0, False
        while at < len(self._tokens):
            denied = self._lower[at] in NEGATIONS or (
                denied and self._lower[at] not in NEGATION_ENDS
            )
            length = self._length(at)
            if not length:
                at += 1
                continue
            self._used.update(range(at, at + length))
            if self._is_noun(at, length):
                yield self._noun(at, length, denied=denied)
            at += length

    def names(self) -> Iterator[str]:
        """Groups of capitalised words that are no nouns and do not begin a sentence."""
        group: list[str] = []
        for at, token in enumerate([*self._tokens, "."]):
            if self._is_name(at, token):
                group.append(token)
            elif group:
                yield " ".join(group)
                group = []

    def _is_name(self, at: int, token: str) -> bool:
        if at in self._used or not token[:1].isupper() or token.lower() in unjudged_words():
            return False
        starts = at == 0 or self._tokens[at - 1] in ".!?"
        return (not starts and len(token) > 1) or (len(token) > 1 and token.isupper())

    def _length(self, at: int) -> int:
        """The number of tokens in the longest phrase of the table that begins here; 0 if none
        does."""
        for length in range(LONGEST, 0, -1):
            phrase = " ".join(self._lower[at : at + length])
            if at + length <= len(self._tokens) and self._table.concepts(phrase):
                return length
        return 0

    def _is_noun(self, at: int, length: int) -> bool:
        phrase = " ".join(self._lower[at : at + length])
        lemma = self._table.lemma(phrase)
        if {phrase, lemma} & (unjudged_words() | COLOURS | self._table.mostly_else):
            return False
        return lemma not in self._table.rarely_nouns or self._follows_article(at)

    def _follows_article(self, at: int) -> bool:
        """Whether the noun follows an article or the like, at most one other word apart that is no
        noun."""
        before = self._lower[max(0, at - 2) : at]
        if not before or before[-1] in BEFORE_NOUNS:
            return bool(before)
        is_adjective = before[-1] not in _STOPS and at - 1 not in self._used
        return len(before) == 2 and is_adjective and before[0] in BEFORE_NOUNS

    def _noun(self, at: int, length: int, *, denied: bool) -> Noun:
        phrase = " ".join(self._lower[at : at + length])
        before = self._lower[max(0, at - 2) : at]
        count_text = next((w for w in reversed(before) if w in NUMBERS or w.isdecimal()), "")
        count = NUMBERS.get(count_text) or (int(count_text) if count_text[:3].isdecimal() else None)
        is_counted = count is not None and 2 <= count <= 99 and _STOPS.isdisjoint(before)
        return Noun(
            " ".join(self._tokens[at : at + length]),
            self._table.lemma(phrase),
            self._table.concepts(phrase),
            is_denied=denied,
            count=count if is_counted else None,
            count_text=count_text if is_counted else "",
            colour=next((word for word in reversed(before) if word in COLOURS), ""),
        )
