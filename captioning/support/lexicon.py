"""English words by meaning: groups that decide how a caption is read, and broader concepts.

The table of concepts is a small part of WordNet (`data/broader_terms.tsv`, beside its licence). It
is read when it is first needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

_GROUPS = {
    "colours": "red orange yellow green blue purple violet pink brown black white gray grey beige "
    "turquoise teal maroon golden silver gold navy cyan magenta",
    "greys": "black white gray grey silver",
    "numbers": "two three four five six seven eight nine ten eleven twelve",
    "negations": "no without not neither nor never isn't aren't lacks lacking",
    "ends of a negation": ". , ; : ! ? ( ) – — but with while that which in on at under near and",
    "before nouns": "a an the his her its their this that these those some many several both of in "
    "on at with without by near under over from into onto behind beside against through and or no",
    "sex and age": "man woman boy girl child baby male#2 female#2 male female",
    "kinds that come together": "person clothing garment food food#2 furniture plant",
    "body": "face head hair eye ear nose mouth lip tooth tongue chin neck shoulder arm elbow hand "
    "finger thumb fist wrist chest waist leg knee foot toe skin beard mustache eyebrow forehead "
    "cheek smile paw claw tail wing feather beak horn antler mane fur hoof whisker snout muzzle "
    "trunk tusk fin body back coat stripe spot",
}
_PLURALS = (
    "people=person men=man women=woman children=child feet=foot teeth=tooth geese=goose mice=mouse "
    "oxen=ox leaves=leaf knives=knife wolves=wolf shelves=shelf loaves=loaf scarves=scarf "
    "calves=calf halves=half cacti=cactus fungi=fungus dice=die bookshelves=bookshelf hooves=hoof "
    "wives=wife thieves=thief"
)


def _group(name: str) -> frozenset[str]:
    return frozenset(_GROUPS[name].split())


COLOURS, GREYS = _group("colours"), _group("greys")
NUMBERS = {word: n for n, word in enumerate(_GROUPS["numbers"].split(), start=2)}
NEGATIONS, NEGATION_ENDS = _group("negations"), _group("ends of a negation")
BEFORE_NOUNS = _group("before nouns") | COLOURS | NUMBERS.keys()
BODY = _group("body")
"""Parts of people and animals, which no service lists."""
SEX_AND_AGE = _group("sex and age")
TOGETHER = _group("kinds that come together")
"""Kinds of which a picture often shows several: one that was seen does not exclude another."""
PLURALS = dict(pair.split("=") for pair in _PLURALS.split())
"""Plurals that follow no rule, and their singular."""
DATA = Path(__file__).parent / "data"
LONGEST = 3
"""Words of a phrase that is looked up, at most."""
_MARKS = "*~-"


class BroaderTerms:
    """The table. A concept is named by its first word, with `#2` if that word has several."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.rarely_nouns: set[str] = set()
        """Words that are mostly verbs or adjectives."""
        self.mostly_else: set[str] = set()
        """Words that mostly mean something that no picture shows."""
        self._concepts: dict[str, list[str]] = defaultdict(list)
        self._broader: dict[str, list[str]] = {}
        self._wholes: dict[str, list[str]] = {}
        for line in lines:
            if not line.startswith("#"):
                self._read(line.rstrip("\n").split("\t"))
        self.ancestors = cache(self._ancestors)
        self._found = lru_cache(16_384)(self._find)

    def _read(self, columns: list[str]) -> None:
        words, broader, wholes = [*columns, "", ""][:3]
        name = words.split(",")[0].rstrip(_MARKS)
        for listed in words.split(","):
            word = listed.rstrip(_MARKS).partition("#")[0]
            marks = listed[len(listed.rstrip(_MARKS)) :]
            if marks != "-":
                self._concepts[word].append(name)
            if marks:
                (self.rarely_nouns if marks == "*" else self.mostly_else).add(word)
        self._broader[name] = list(filter(None, broader.split(",")))
        self._wholes[name] = list(filter(None, wholes.split(",")))

    def concepts(self, phrase: str) -> tuple[str, ...]:
        """The concepts that a noun may mean. It is in lower case, has one or more words, and may be
        a plural."""
        return self._found(phrase)[1]

    def lemma(self, phrase: str) -> str:
        """The form of the phrase that is in the table; the phrase itself if none is."""
        return self._found(phrase)[0]

    def wholes(self, concept: str) -> list[str]:
        """The things that a concept is part of."""
        return self._wholes.get(concept, [])

    def _find(self, phrase: str) -> tuple[str, tuple[str, ...]]:
        for form in _forms(phrase):
            if form in self._concepts:
                return form, tuple(self._concepts[form])
        return phrase, ()

    def _ancestors(self, concept: str) -> frozenset[str]:
        """The concept and everything broader."""
        found, waiting = set(), [concept]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._broader.get(name, [])
        return frozenset(found)


@cache
def broader_terms() -> BroaderTerms:
    """The table that is shipped with the app."""
    return BroaderTerms((DATA / "broader_terms.tsv").read_text("utf-8").splitlines())


def _forms(phrase: str) -> Iterator[str]:
    """The phrase, then the singulars that it may be the plural of; also with its hyphens as spaces
    and without them."""
    for spelt in dict.fromkeys((phrase, phrase.replace("-", " "), phrase.replace("-", ""))):
        head, space, last = spelt.rpartition(" ")
        if last in PLURALS:
            yield head + space + PLURALS[last]
            continue
        yield spelt
        for ending, singular in (("ies", "y"), ("es", ""), ("s", "")):
            if last.endswith(ending) and len(last) > len(ending) + 1 and not last.endswith("ss"):
                yield head + space + last.removesuffix(ending) + singular
