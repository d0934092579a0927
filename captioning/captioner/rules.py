"""The rules of a caption: lengths, wording, and what it has to say by the evidence.

By W3C's decision tree for alternative texts, short text in a picture is spelled out, and content
that takes more than a sentence goes into the description.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import islice

from captioning.captioner.refusal_texts import refusing
from captioning.captioner.sentences import first_sentence
from captioning.captioner.wording import (
    has_wrapping,
    is_in_another_language,
    is_looping,
    opening,
    plain,
    says_nothing,
    without_opening,
)
from captioning.domain.record import CaptionText, ImageAnalysis, TextLine
from captioning.text.visible import JOINERS, has_words
from captioning.text.words import words

ALT_TEXT = 125
"""Characters at most. W3C gives no number. The screen reader JAWS split longer texts into pieces of
125 (washington.edu/accessit, article 1257), and style guides have kept to that."""
CAPTION = 300
DESCRIPTION = 1_000
"""Characters at most."""
MOST_WORDS = 8
"""Words in the picture, all lines together, that an alternative text has room for."""
LEAST_HEIGHT = 0.05
"""Height of a line of text, as a part of the picture's shorter side. Smaller print is rarely what a
picture is about, and is often misread."""
NEAR = 0.8
"""Least similarity of two spellings of a word: a word that is read in a picture may have a wrong
letter."""
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


def text_faults(text: CaptionText, *, decorative: bool, language: str = "en") -> tuple[str, ...]:
    """The rules the texts break, in words for the model; the texts are not quoted."""
    alt = "" if decorative else text.alt_text
    rules = {
        "caption must not be empty": not has_words(text.caption),
        f"caption must have at most {CAPTION} characters": len(text.caption) > CAPTION,
        'caption must not open with "image of" or the like': opening(text.caption),
        "caption must say what the picture shows, not its name or kind": says_nothing(text.caption),
        "alt_text must not be empty unless decorative": not decorative and not has_words(alt),
        f"alt_text must have at most {ALT_TEXT} characters": len(alt) > ALT_TEXT,
        "alt_text must be one sentence": first_sentence(alt, language) != alt,
        'alt_text must not open with "image of" or the like': opening(alt),
        "alt_text must say what the picture shows, not its name or kind": says_nothing(alt),
        f"description must have at most {DESCRIPTION} characters": len(text.description)
        > DESCRIPTION,
    }
    of_each = {"caption": text.caption, "alt_text": alt, "description": text.description}
    return (
        *(rule for rule, is_broken in rules.items() if is_broken),
        *(f"{name} {rule}" for name, said in of_each.items() for rule in _wrong(said, language)),
    )


def _wrong(text: str, language: str) -> Iterator[str]:
    """The rules for every text that this one breaks."""
    if refusing(text):
        yield "must describe the attached picture, and nothing else"
    if has_wrapping(text) and not says_nothing(text):
        yield "must be plain text without markup, labels or quotes around it"
    if is_looping(text):
        yield "must not repeat itself"
    if is_in_another_language(text, language):
        yield f"must be in {language}"


def is_description(text: str) -> bool:
    """Whether the text says something about a picture."""
    return has_words(text) and not says_nothing(text) and refusing(text) is None


def repaired(text: CaptionText, *, decorative: bool, language: str = "en") -> CaptionText:
    """The texts without the faults that can be removed without writing words of our own."""
    caption = _plainly(text.caption)
    alt = _plainly(text.alt_text) if is_description(text.alt_text) else caption
    description = _plainly(text.description) if is_description(text.description) else ""
    return CaptionText(
        caption=cut(caption, CAPTION),
        alt_text="" if decorative else cut(first_sentence(alt, language), ALT_TEXT),
        description=cut(description, DESCRIPTION),
    )


def _plainly(text: str) -> str:
    return without_opening(plain(text))


def cut(text: str, limit: int) -> str:
    """The text in at most `limit` characters, cut after a whole word and with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    if not text[limit - 1].isspace():
        head = head.rpartition(" ")[0] or _whole_characters(head, text[limit - 1])
    return head.rstrip(" ,;:.!?–—-(\"'“‘«„…") + "…"


def _whole_characters(head: str, following: str) -> str:
    """The head of a text without spaces, not ending inside a composed character."""
    while head and (_attaches(following) or head[-1] in JOINERS):
        head, following = head[:-1], head[-1]
    return head


def _attaches(char: str) -> bool:
    return char in JOINERS or unicodedata.category(char) in {"Mn", "Mc", "Me", "Sk"}


def evidence_faults(
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
    """Whether the text has at least half of the words that are to be spelled out, in the spelling
    that was read or a similar one."""
    wanted = short_text(evidence)
    said = list(words(alt_text))
    return 2 * sum(_is_in(word, said) for word in wanted) >= len(wanted)


def short_text(evidence: ImageAnalysis) -> tuple[str, ...]:
    """The words in large print, folded; none if the picture has many words."""
    if _is_long(evidence):
        return ()
    side = min(evidence.width, evidence.height)
    large = (line for line in evidence.text if min(line.box[2:]) >= LEAST_HEIGHT * side > 0)
    return tuple(word for word in _words(large) if len(word) > 1)


def is_complex(evidence: ImageAnalysis) -> bool:
    """Whether the picture says more than a sentence can, by its text or by its kind."""
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
    """Whether the word was said: by itself, within a longer one, or, if it is long, in a similar
    spelling."""
    if word in said or (len(word) > 2 and word in "".join(said)):
        return True
    return len(word) > 4 and any(
        SequenceMatcher(None, word, other).ratio() >= NEAR for other in said
    )
