"""The texts in a model's answer: reading them, checking them by the rules, and repairing them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from captioning.captioner import rules
from captioning.domain.record import CaptionText, ImageAnalysis
from captioning.text import visible

_MAX_OBJECTS = 20


@dataclass(frozen=True)
class Answer:
    """The texts of a completion by language, tidied; `languages` are those that were requested."""

    decorative: bool
    texts: dict[str, CaptionText] = field(repr=False)
    languages: tuple[str, ...]

    def faults(self, evidence: ImageAnalysis | None) -> tuple[str, ...]:
        """The rules that its texts break, each with the language of the text."""
        absent = (language for language in self.languages if language not in self.texts)
        return (
            *(f"{language}: its texts are missing" for language in absent),
            *(
                f"{language}: {fault}"
                for language, text in self.texts.items()
                for fault in (
                    *rules.text_faults(text, decorative=self.decorative),
                    *rules.evidence_faults(text, evidence, decorative=self.decorative),
                )
            ),
        )

    @property
    def usable(self) -> bool:
        """Whether it can be repaired without another call: the main language has a caption."""
        return self.languages[0] in self.captioned

    def with_rest_of(self, other: Answer | None) -> Answer:
        """The answer, with another one's texts in the languages that it lacks itself."""
        known = (other.captioned if other else {}) | self.captioned
        return replace(self, texts={name: known[name] for name in self.languages if name in known})

    def repaired(self) -> dict[str, CaptionText]:
        """The texts as they are stored, without faults; none for a language without a caption."""
        return {
            language: rules.repaired(text, decorative=self.decorative)
            for language, text in self.captioned.items()
        }

    def note(self, evidence: ImageAnalysis | None) -> str | None:
        """What a reader should know about the stored texts; None if there is nothing."""
        kept = self.repaired()
        lacking = [language for language in self.languages if language not in kept]
        unspelled = [
            language
            for language, text in kept.items()
            if rules.UNSPELLED in rules.evidence_faults(text, evidence, decorative=self.decorative)
        ]
        notes = (
            f"The caption model wrote nothing in {', '.join(lacking)}." if lacking else "",
            f"The alternative text ({', '.join(unspelled)}) leaves out text that is in the picture."
            if unspelled
            else "",
        )
        return " ".join(filter(None, notes)) or None

    @property
    def captioned(self) -> dict[str, CaptionText]:
        """The texts of the languages that have a caption."""
        return {
            language: text
            for language, text in self.texts.items()
            if visible.has_words(text.caption)
        }


@dataclass(frozen=True)
class _Form:
    """The JSON object that was requested; the value of a language is not validated yet."""

    decorative: bool
    texts: dict[str, Any]


def read_answer(text: str, languages: tuple[str, ...]) -> Answer | None:
    """The JSON object in a text that has the most languages, the first one of several; None if
    there is no such object. Text around it, such as code fences, is ignored."""
    found: list[Answer] = []
    for candidate in _objects(text):
        try:
            form = _form.validate_python(candidate)
        except ValidationError:
            continue
        read = {name: _tidied(form.texts.get(name)) for name in languages}
        if texts := {name: text for name, text in read.items() if text}:
            found.append(Answer(form.decorative, texts, languages))
    return max(found, key=lambda answer: len(answer.texts), default=None)


def _tidied(given: Any) -> CaptionText | None:
    try:
        text = _text.validate_python(given)
    except ValidationError:
        return None
    return CaptionText(
        visible.tidy(text.caption),
        visible.tidy(text.alt_text),
        visible.tidy(text.description),
    )


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects in the text in their order, without those inside another one."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    for _ in range(_MAX_OBJECTS):
        if start < 0:
            return
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield value
        start = text.find("{", end)


_form = TypeAdapter(_Form)
_text = TypeAdapter(CaptionText)
