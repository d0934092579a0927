"""Scores of captions on the golden set, and their table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.quality.golden import (
    Golden,
    GoldenSet,
    is_in_the_picture,
    language_of,
    quotations,
    words_told,
)
from captioning.captioner import wording
from captioning.domain.record import Captioning, CaptionInput, CaptionText
from captioning.domain.usage import NOTHING, Usage


@dataclass
class Score:
    """The counts for one input."""

    pictures: int = 0
    silent: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    mentions: int = 0
    invented: list[str] = field(default_factory=list)
    judged: int = 0
    captions_inventing: int = 0
    labels: int = 0
    found: int = 0
    quoted: int = 0
    misquoted: int = 0
    words: int = 0
    words_told: int = 0
    texts: int = 0
    other_language: int = 0
    openings: int = 0
    lengths: list[int] = field(default_factory=list)
    answers: int = 0
    usage: Usage = NOTHING

    def add(self, golden: GoldenSet, picture: Golden, captioning: Captioning) -> None:
        """Adds the texts for one picture; objects are judged only in English."""
        if not captioning.texts:
            self.silent += 1
            return
        for language, texts in captioning.texts.items():
            self._judge_form(language, texts, picture)
            if language.partition("-")[0] == "en":
                self._judge_objects(golden, texts, picture)

    def _judge_form(self, language: str, texts: CaptionText, picture: Golden) -> None:
        whole = f"{texts.caption} {texts.alt_text} {texts.description}"
        self.texts += 1
        self.lengths.append(len(texts.alt_text))
        self.openings += wording.opening(texts.caption) or wording.opening(texts.alt_text)
        self.other_language += language_of(whole) not in {None, language.partition("-")[0]}
        said = quotations(whole)
        self.quoted += len(said)
        self.misquoted += sum(not is_in_the_picture(one, picture) for one in said)
        told, wanted = words_told(texts, picture)
        self.words_told += told
        self.words += wanted

    def _judge_objects(self, golden: GoldenSet, texts: CaptionText, picture: Golden) -> None:
        said = f"{texts.caption} {texts.alt_text}"
        mentioned, invented = golden.mentioned(said), golden.invented(said, picture)
        self.judged += 1
        self.mentions += len(mentioned)
        self.invented += [f"{name} ({picture.file})" for name in sorted(invented)]
        self.captions_inventing += bool(invented)
        self.labels += len(picture.objects)
        self.found += len(mentioned & picture.objects)


def rows(score: Score) -> dict[str, str]:
    """The rows of the table by name; `-` means that there was nothing to judge."""
    usd = score.usage.usd
    return {
        "pictures": f"{score.pictures}",
        "without a caption": f"{score.silent}",
        "failed": ", ".join(f"{n} {code}" for code, n in score.failed.items()) or "0",
        "invented objects, of those mentioned": _share(len(score.invented), score.mentions),
        "captions that invent": _share(score.captions_inventing, score.judged),
        "labelled objects mentioned": _share(score.found, score.labels),
        "quotations not in the picture": _share(score.misquoted, score.quoted),
        "words of short text told": _share(score.words_told, score.words),
        "texts in another language": _share(score.other_language, score.texts),
        "banned openings": _share(score.openings, score.texts),
        "alt text, median and longest": (
            f"{median(score.lengths):.0f}, {max(score.lengths)}" if score.lengths else "-"
        ),
        "answers of the model a picture": f"{score.answers / score.pictures:.2f}",
        "USD a thousand pictures": (
            "not priced" if usd is None else f"{1_000 * usd / score.pictures:.2f}"
        ),
    }


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%} ({part}/{whole})" if whole else "-"


def report(scores: Sequence[tuple[CaptionInput, Score]]) -> str:
    """A table of the scores in markdown, and the hallucinated objects."""
    if not scores:
        return "The configured services support none of the inputs.\n"
    columns = [(mode, rows(score)) for mode, score in scores]
    lines = [
        "| | " + " | ".join(f"`{mode}`" for mode, _ in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    lines += [
        f"| {name} | " + " | ".join(found[name] for _, found in columns) + " |"
        for name in columns[0][1]
    ]
    invented = [f"\n`{mode}` invents: {', '.join(s.invented)}" for mode, s in scores if s.invented]
    return "\n".join(lines + invented) + "\n"
