"""The golden set, and how texts are checked against it: objects, quoted text, language.

Objects are checked as in CHAIR (Rohrbach et al., 2018): a name of the vocabulary that a text
mentions is either among the picture's labels or a hallucination. Other words are not judged.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path

from captioning.domain.record import CaptionText

FILE = Path(__file__).with_name("golden.json")
ALIKE = 0.8
"""The similarity from which a word counts as one in the picture: a misread letter is not an
error."""
_QUOTED = re.compile(r"“([^”]+)”|\"([^\"]+)\"|„([^“”]+)[“”]|«([^»]+)»|(?<!\w)'([^']{2,})'(?!\w)")
_WORD = re.compile(r"[^\W\d_]+")
_COMMON = {
    "en": "the a an of with on in and is at from its are that this",
    "de": "der die das ein eine einer einem mit auf und ist im am den dem von",
    "fr": "le la les un une des avec sur et est dans du au aux en",
    "es": "el la los las un una con sobre y es en del al por",
    "it": "il lo gli un una con su e nel nella della del al di",
    "nl": "de het een van met op en is in aan bij naar",
    "pt": "o a os as um uma com sobre e no na do da em",
}
"""Common words, by which a language is recognized."""


@dataclass(frozen=True, slots=True)
class Golden:
    """The labels of one picture: objects that are in it, objects that a text may mention as well,
    and lines of text."""

    file: str
    objects: frozenset[str]
    may: frozenset[str]
    text: tuple[str, ...]


class GoldenSet:
    """Labelled pictures, and the vocabulary of objects."""

    def __init__(self, file: Path = FILE) -> None:
        found = json.loads(file.read_text("utf-8"))
        self.vocabulary: dict[str, list[str]] = found["vocabulary"]
        self.pictures = [
            Golden(p["file"], frozenset(p["objects"]), frozenset(p["may"]), tuple(p["text"]))
            for p in found["pictures"]
        ]

    @cached_property
    def _names(self) -> dict[str, str]:
        """The object for every form of every name."""
        forms: dict[str, str] = {}
        for name, others in self.vocabulary.items():
            for one in (name, *others):
                forms |= dict.fromkeys((one, f"{one}s", f"{one}es"), name)
        return forms

    def mentioned(self, text: str) -> frozenset[str]:
        """The objects that a text mentions outside of quotations."""
        words = (word.casefold() for word in _WORD.findall(_QUOTED.sub(" ", text)))
        return frozenset(self._names[word] for word in words if word in self._names)

    def invented(self, text: str, picture: Golden) -> frozenset[str]:
        """The objects that a text mentions although neither the picture nor its text has them."""
        in_its_text = self.mentioned(" ".join(picture.text))
        return self.mentioned(text) - picture.objects - picture.may - in_its_text


def quotations(text: str) -> list[str]:
    """The quotations in a text."""
    return [next(filter(None, found)).strip() for found in _QUOTED.findall(text)]


def is_in_the_picture(quotation: str, picture: Golden) -> bool:
    """Whether the picture's text has each word of the quotation, apart from single letters."""
    seen = set(_plain(" ".join(picture.text)).split())
    return all(word in seen or _is_misread(word, seen) for word in _plain(quotation).split())


def _is_misread(word: str, seen: set[str]) -> bool:
    return not word.isdigit() and any(
        SequenceMatcher(None, word, other, autojunk=False).ratio() >= ALIKE for other in seen
    )


def words_told(texts: CaptionText, picture: Golden) -> tuple[int, int]:
    """How many words of the picture's short lines the texts contain, and how many there are. Long
    lines do not count, because a page of print is not to be read out."""
    short = [line for line in picture.text if len(line) <= 40]
    wanted = _plain(" ".join(short)).split()
    said = set(_plain(f"{texts.caption} {texts.alt_text} {texts.description}").split())
    return sum(word in said for word in wanted), len(wanted)


def language_of(text: str) -> str | None:
    """The language of a text by its common words; None if it is not clear."""
    words = [word.casefold() for word in _WORD.findall(_QUOTED.sub(" ", text))]
    counts = {name: sum(w in common.split() for w in words) for name, common in _COMMON.items()}
    most = max(counts.values())
    found = [name for name, count in counts.items() if count == most]
    return found[0] if most and len(found) == 1 else None


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
