"""The texts in a model's answer: checking them by the rules, and repairing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from captioning.captioner import rules
from captioning.captioner.reading import read_texts
from captioning.captioner.refusal_texts import Refusing, refusing
from captioning.domain.record import CaptionText, ImageAnalysis

LEAST_COPIED = 3
"""Words of a caption that are not the same in two languages by chance, as a name is."""


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
                    *rules.text_faults(text, decorative=self.decorative, language=language),
                    *rules.evidence_faults(text, evidence, decorative=self.decorative),
                )
            ),
            *(f"{language}: its texts must be in {language}" for language in self._copied()),
        )

    def _copied(self) -> Iterator[str]:
        """The languages whose caption is word for word that of one before them."""
        seen: set[str] = set()
        for language, text in self.captioned.items():
            if text.caption in seen and len(text.caption.split()) >= LEAST_COPIED:
                yield language
            seen.add(text.caption)

    def refusing(self) -> Refusing | None:
        """Whether the model declines in the main language, or says that it sees no picture."""
        text = self.texts.get(self.languages[0])
        return refusing(text.caption) if text else None

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
            language: rules.repaired(text, decorative=self.decorative, language=language)
            for language, text in self.captioned.items()
        }

    def note(self, evidence: ImageAnalysis | None) -> str | None:
        """What a reader should know about the stored texts; None if there is nothing."""
        kept = self.repaired()
        lacking = [language for language in self.languages if language not in kept]
        broken: dict[str, list[str]] = {}
        for language, text in kept.items():
            for fault in rules.evidence_faults(text, evidence, decorative=self.decorative):
                if fault == rules.UNSPELLED:
                    said = "The alternative text ({}) leaves out text that is in the picture."
                    broken.setdefault(said, []).append(language)
            if rules.text_faults(text, decorative=self.decorative, language=language):
                said = "The texts ({}) break rules, even when asked for again."
                broken.setdefault(said, []).append(language)
        if copied := [*self._copied()]:
            broken["The texts ({}) are those of another language."] = copied
        notes = [said.format(", ".join(languages)) for said, languages in broken.items()]
        if lacking:
            notes.insert(0, f"The caption model wrote nothing in {', '.join(lacking)}.")
        return " ".join(notes) or None

    @property
    def captioned(self) -> dict[str, CaptionText]:
        """The texts of the languages that have a caption."""
        return {
            language: text
            for language, text in self.texts.items()
            if rules.is_description(text.caption)
        }


def read_answer(text: str, languages: tuple[str, ...]) -> Answer | None:
    """The answer in what a model said; None if there is none."""
    read = read_texts(text, languages)
    return Answer(*read, languages) if read else None
