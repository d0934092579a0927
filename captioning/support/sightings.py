"""What a recognition service saw, as concepts that the words of a caption are compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from captioning.domain.record import ImageAnalysis
from captioning.support.lexicon import (
    BODY,
    COLOURS,
    DATA,
    LONGEST,
    SEX_AND_AGE,
    TOGETHER,
    BroaderTerms,
)
from captioning.support.spelling import Spelling
from captioning.support.statements import Noun, statements
from captioning.text.words import folded, words


@cache
def _related() -> dict[str, dict[str, list[str]]]:
    """By word: the words that it `means` and those that it `hints` at."""
    found: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for line in (DATA / "seen_words.tsv").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            seen, kind, others = line.split("\t")
            found[seen].setdefault(kind, []).extend(others.split(","))
    return found


class Sightings:
    """An analysis, in a form that the statements of a caption are looked up in."""

    def __init__(self, analysis: ImageAnalysis, table: BroaderTerms) -> None:
        self._table = table
        self._words: set[str] = set()
        self._hinted_words: set[str] = set()
        names = [tag.name for tag in analysis.tags]
        names += [found.name for found in (*analysis.objects, *analysis.people)]
        for name in names:
            self._add(folded(name))
        self._stated = [statements(caption, table) for caption in analysis.captions]
        for stated in self._stated:
            for noun in stated.nouns:
                if not noun.is_denied:
                    self._add(noun.lemma)
        self._named = {c for word in self._words for c in table.concepts(word)}
        self._seen = self._with_broader(self._words)
        self._hinted = self._with_broader(self._hinted_words)
        self._objects = [table.concepts(self._head(folded(o.name))) for o in analysis.objects]
        self._people = len(analysis.people)
        self.has_things = bool(analysis.tags or analysis.captions)
        self.text = Spelling(line.text for line in analysis.text)
        brands = (item.name for item in analysis.brands)
        self.names = Spelling([*(line.text for line in analysis.text), *brands, *names,
                               *analysis.captions])  # fmt: skip
        self.colours = frozenset(COLOURS & {w for name in names for w in words(name)})
        self.colours |= {colour for stated in self._stated for colour in stated.colours}
        self.is_monochrome = bool({"black and white", "monochrome"} & self._words)

    def carries(self, noun: Noun) -> float | None:
        """How well the noun is supported: 1, 0.5 or 0; None if the evidence cannot show that."""
        if noun.lemma in self._words or self._seen.intersection(noun.concepts):
            return 1.0
        if self._is_part(noun):
            return None
        if noun.lemma in self._hinted_words or self._hinted.intersection(noun.concepts):
            return 0.5
        if self.text.has(noun.text) or any(self._is_narrower(c) for c in noun.concepts):
            return 0.5
        return 0.0

    def denies(self, noun: Noun) -> bool:
        """Whether a thing that the caption denies was seen."""
        return noun.lemma in self._words or bool(self._seen.intersection(noun.concepts))

    def counted(self, noun: Noun) -> float | None:
        """How well the number is supported; None if no object of the kind was detected.

        Detectors overlook small objects, and some of many: a few more in the caption are supported
        by half.
        """
        exact = self._number_of(frozenset(noun.concepts))
        broader = frozenset(c for own in noun.concepts for c in self._table.ancestors(own))
        found = exact or self._number_of_broader(broader)
        if noun.count is None or not found:
            return None
        if noun.count == found:
            return 1.0
        if noun.count > found:
            return 0.5 if noun.count <= 2 * found else 0.0
        return 0.0 if exact else 0.5

    def colour_of(self, noun: Noun) -> str:
        """The colour of such a thing in the service's own captions; empty if they give none."""
        nouns = (other for each in self._stated for other in each.nouns)
        return next((n.colour for n in nouns if n.lemma == noun.lemma and n.colour), "")

    def _add(self, name: str) -> None:
        """Adds the name of a tag or object: as a whole if it is known, else its words."""
        if name in self._words:
            return
        self._words.add(name)
        known = bool(self._table.concepts(name)) or name in _related()
        tokens = name.split()
        if not known and len(tokens) > 1:
            for phrase in _phrases(tokens, self._table):
                self._add(phrase)
        lemma = self._table.lemma(name)
        for other in _related().get(lemma, _related().get(name, {})).get("means", []):
            self._add(other)
        hints = _related().get(lemma, _related().get(name, {})).get("hints", [])
        self._hinted_words.update(hints)
        self._words.add(lemma)

    def _with_broader(self, names: Iterable[str]) -> frozenset[str]:
        concepts = (c for name in names for c in self._table.concepts(name))
        return frozenset(a for concept in concepts for a in self._table.ancestors(concept))

    def _head(self, name: str) -> str:
        return name if self._table.concepts(name) else name.rpartition(" ")[2]

    def _is_part(self, noun: Noun) -> bool:
        """Whether the noun is part of something seen, so that it needs no evidence of its own."""
        if noun.lemma in BODY and self._seen & {"person", "animal"}:
            return True
        wholes = {whole for concept in noun.concepts for whole in self._table.wholes(concept)}
        return bool(wholes & self._seen)

    def _is_narrower(self, concept: str) -> bool:
        """Whether the concept is a kind of something seen, and nothing seen excludes it."""
        mine = self._table.ancestors(concept)
        return any(
            not any(self._excludes(other, kind, mine) for other in self._named)
            for kind in (mine & self._named) - {concept}
        )

    def _excludes(self, other: str, kind: str, mine: frozenset[str]) -> bool:
        """Whether `other` is the thing of this kind that was seen, instead of the caption's."""
        theirs = self._table.ancestors(other)
        if other in mine or kind not in theirs or kind == other:
            return False
        if TOGETHER & theirs & mine:
            return bool(theirs & SEX_AND_AGE) and bool(mine & SEX_AND_AGE)
        return True

    def _number_of(self, concepts: frozenset[str]) -> int:
        detected = sum(any(concepts & self._table.ancestors(c) for c in o) for o in self._objects)
        return max(detected, self._people) if "person" in concepts else detected

    def _number_of_broader(self, ancestors: frozenset[str]) -> int:
        detected = sum(bool(ancestors.intersection(each)) for each in self._objects)
        return max(detected, self._people) if "person" in ancestors else detected


def _phrases(tokens: list[str], table: BroaderTerms) -> Iterable[str]:
    """The parts of a name: the longest phrases that the table knows, and single words."""
    at = 0
    while at < len(tokens):
        lengths = range(min(LONGEST, len(tokens) - at), 1, -1)
        found = next((n for n in lengths if table.concepts(" ".join(tokens[at : at + n]))), 1)
        if found < len(tokens):
            yield " ".join(tokens[at : at + found])
        at += found
