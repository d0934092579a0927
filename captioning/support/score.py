"""Support: how well Vision's results back up what a caption says.

Only what such evidence could confirm is judged: things, counts, names, text. docs/captions.md says
what cannot be judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from captioning.domain.record import CaptionText, ImageAnalysis, Support
from captioning.support.lexicon import GREYS, broader_terms
from captioning.support.sightings import Sightings
from captioning.support.spelling import Spelling
from captioning.support.statements import Noun, marked_names, numbers, quoted_texts, statements


@dataclass(frozen=True, slots=True)
class _Judged:
    """One statement: how well it is supported, 0 to 1, and its words that are not."""

    score: float
    unsupported: tuple[str, ...] = ()


class SupportScorer:
    """Scores captions by the evidence of these features of Vision, and doubts those with a score
    below the threshold. Safe to share between threads."""

    def __init__(self, features: Collection[str], threshold: float) -> None:
        self._threshold = threshold
        self._reads = "read" in features
        self._knows_names = self._reads or "brands" in features

    def doubts(self, support: Support | None) -> bool:
        """Whether a person should look at the caption."""
        return support is not None and support.score < self._threshold

    def support(
        self, text: CaptionText, language: str, analysis: ImageAnalysis | None
    ) -> Support | None:
        """The support of caption and alternative text; None if nothing in them can be judged.

        All words are judged in English, only quotations, numbers and names in other languages.
        """
        if analysis is None or not _has_evidence(analysis):
            return None
        said = f"{text.caption}\n{text.alt_text}"
        is_english = language.partition("-")[0].lower() == "en"
        seen = Sightings(analysis, broader_terms())
        judge = self._english if is_english else self._foreign
        judged = {repr(key): each for key, each in judge(said, seen)}.values()
        if not judged:
            return None
        words = dict.fromkeys(word for each in judged for word in each.unsupported)
        return Support(round(sum(each.score for each in judged) / len(judged), 2), tuple(words))

    def _english(self, said: str, seen: Sightings) -> Iterator[tuple[object, _Judged]]:
        """The judged statements of an English text, each with a key that its repetitions share."""
        stated = statements(said, broader_terms())
        if seen.has_things:
            for noun in stated.nouns:
                yield from _thing(noun, seen)
            for colour in stated.colours:
                yield from _colour(colour, seen)
        if self._reads:
            yield from _texts(stated.quoted, seen.text)
        if self._knows_names:
            yield from _texts(stated.names, seen.names)

    def _foreign(self, said: str, seen: Sightings) -> Iterator[tuple[object, _Judged]]:
        """The same for a text in another language: only what means the same in all of them."""
        if self._reads:
            yield from _texts((*quoted_texts(said), *numbers(said)), seen.text)
        if self._knows_names:
            yield from _texts(marked_names(said), seen.names)


def _thing(noun: Noun, seen: Sightings) -> Iterator[tuple[object, _Judged]]:
    """The noun, its number and its colour; for a noun that is denied, only whether it was seen."""
    if noun.is_denied:
        if seen.denies(noun):
            yield ("no", noun.lemma), _Judged(0.0, (noun.text,))
        return
    carried = seen.carries(noun)
    if carried is None:
        return
    yield noun.lemma, _Judged(carried, () if carried else (noun.text,))
    counted = seen.counted(noun) if carried else None
    if counted is not None:
        yield (noun.count, noun.lemma), _Judged(counted, () if counted else (noun.count_text,))
    other = seen.colour_of(noun) if noun.colour else ""
    if other and not _alike(noun.colour, other) and noun.colour not in seen.colours:
        yield (noun.colour, noun.lemma), _Judged(0.0, (noun.colour,))


def _colour(colour: str, seen: Sightings) -> Iterator[tuple[object, _Judged]]:
    """A colour that was seen, or a colour in a picture without any."""
    if colour in seen.colours:
        yield colour, _Judged(1.0)
    elif seen.is_monochrome and colour not in GREYS:
        yield colour, _Judged(0.0, (colour,))


def _texts(texts: tuple[str, ...], there: Spelling) -> Iterator[tuple[object, _Judged]]:
    """Each text is supported by the share of its words that were read."""
    for text in texts:
        missing, count = there.missing(text)
        if count:
            lost = tuple(word for word in text.split() if there.missing(word)[0])
            yield ("text", text.casefold()), _Judged(1 - len(missing) / count, lost)


def _alike(one: str, other: str) -> bool:
    names = {"grey": "gray", "golden": "gold", "violet": "purple"}
    return names.get(one, one) == names.get(other, other)


def _has_evidence(analysis: ImageAnalysis) -> bool:
    return any(
        (analysis.tags, analysis.objects, analysis.text, analysis.brands, analysis.people,
         analysis.captions)
    )  # fmt: skip
