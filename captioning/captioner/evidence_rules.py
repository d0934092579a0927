"""What the evidence asks of the words about a picture, by W3C's decision tree for alternative
texts: short text is spelled out, what takes more than a sentence is told in the description."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import islice

from captioning.captioner.rules import has_words
from captioning.domain.record import CaptionText, ImageAnalysis, TextLine
from captioning.text.words import words

MOST_WORDS = 8
"""Words in the picture, all told, that an alternative text has room for."""
LEAST_HEIGHT = 0.05
"""Of a line of text, by the picture's shorter side: smaller print is not what a picture is about,
and what is read in it is often wrong."""
NEAR = 0.8
"""How alike two spellings of a word are at least: what is read in a picture may be a letter off."""
COMPLEX = frozenset(
    {
        *("chart", "bar chart", "pie chart", "line chart", "graph", "plot", "histogram"),
        *("diagram", "flowchart", "infographic", "floor plan", "blueprint", "schematic"),
        *("map", "atlas", "timetable", "spreadsheet"),
    }
)
"""Tags of pictures that say more than a sentence can."""

UNSPELLED = "alt_text must spell out the text in the picture, as it is written there"
UNTOLD = "description must tell what the text, chart or diagram in the picture says"


def faults(
    text: CaptionText, evidence: ImageAnalysis | None, *, decorative: bool
) -> tuple[str, ...]:
    """The rules the texts break, in words for the model; nothing is quoted."""
    if evidence is None or decorative:
        return ()
    rules = {
        UNSPELLED: not spells_out(text.alt_text, evidence),
        UNTOLD: is_complex(evidence) and not _tells_more(text),
    }
    return tuple(rule for rule, broken in rules.items() if broken)


def spells_out(alt_text: str, evidence: ImageAnalysis) -> bool:
    """Whether at least half of the words that are to be spelled out are, each as it is read or
    nearly so."""
    wanted = short_text(evidence)
    said = list(words(alt_text))
    return 2 * sum(_is_in(word, said) for word in wanted) >= len(wanted)


def short_text(evidence: ImageAnalysis) -> tuple[str, ...]:
    """The words in large print, folded, of a picture with few words in all; else none."""
    if _is_long(evidence):
        return ()
    side = min(evidence.width, evidence.height)
    large = (line for line in evidence.text if min(line.box[2:]) >= LEAST_HEIGHT * side > 0)
    return tuple(word for word in _words(large) if len(word) > 1)


def is_complex(evidence: ImageAnalysis) -> bool:
    """Whether the picture says more than a sentence can: by its text, or by what it is."""
    is_named = any(tag.name.casefold() in COMPLEX for tag in evidence.tags)
    return is_named or _is_long(evidence)


def _tells_more(text: CaptionText) -> bool:
    return has_words(text.description) and text.description not in {text.caption, text.alt_text}


def _is_long(evidence: ImageAnalysis) -> bool:
    return len(list(islice(_words(evidence.text), MOST_WORDS + 1))) > MOST_WORDS


def _words(lines: Iterable[TextLine]) -> Iterator[str]:
    for line in lines:
        yield from words(line.text)


def _is_in(word: str, said: list[str]) -> bool:
    """Whether it is said: by itself, within a longer one, or, where it is long, a letter off."""
    if word in said or (len(word) > 2 and word in "".join(said)):
        return True
    return len(word) > 4 and any(
        SequenceMatcher(None, word, other).ratio() >= NEAR for other in said
    )
