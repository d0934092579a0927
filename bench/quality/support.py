"""How well support finds invented words in labelled captions: `python -m bench.quality.support`.

testing/data/support_pairs.jsonl has scenes as Vision might describe them, each with captions, their
kind, and the words that the scene does not support. The scenes on odd lines were used for tuning,
the others are held out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from captioning.domain.record import (
    CaptionText,
    DetectedObject,
    ImageAnalysis,
    Support,
    Tag,
    TextLine,
)
from captioning.support.score import SupportScorer
from captioning.text.words import words
from testing.paths import ROOT

PAIRS = ROOT / "testing/data/support_pairs.jsonl"
SCORER = SupportScorer(("tags", "objects", "read"), 0.0)
BOX = (0, 0, 10, 10)


@dataclass(frozen=True)
class Pair:
    """A labelled caption: the words that support should find, and the scene."""

    half: str
    kind: str
    caption: str
    language: str
    unsupported: frozenset[str]
    analysis: ImageAnalysis

    def judged(self, *, shown: frozenset[str] = frozenset()) -> Support | None:
        """The support of the caption; with the tags in `shown`, as if Vision had been wrong and the
        model repeated it."""
        tags = self.analysis.tags + tuple(Tag(name, 0.7) for name in sorted(shown))
        seen = ImageAnalysis("azure", 10, 10, tags, self.analysis.objects, self.analysis.text,
                             captions=self.analysis.captions)  # fmt: skip
        return SCORER.support(CaptionText(self.caption, ""), self.language, seen)

    def found(self) -> frozenset[str]:
        """The words that support reports as unsupported."""
        support = self.judged()
        return frozenset(
            w for text in (support.unsupported if support else ()) for w in words(text)
        )


@dataclass
class Score:
    """Hits, false alarms and misses, of words or of verdicts."""

    hits: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, found: frozenset[str], wanted: frozenset[str]) -> None:
        """Counts one caption."""
        self.hits += len(found & wanted)
        self.wrong += len(found - wanted)
        self.missed += len(wanted - found)

    @property
    def precision(self) -> float:
        return self.hits / max(1, self.hits + self.wrong)

    @property
    def recall(self) -> float:
        return self.hits / max(1, self.hits + self.missed)

    def __str__(self) -> str:
        return f"precision {self.precision:.2f}, recall {self.recall:.2f}"


def pairs() -> Iterator[Pair]:
    """The labelled captions of all scenes."""
    for number, line in enumerate(PAIRS.read_text("utf-8").splitlines(), start=1):
        scene: dict[str, Any] = json.loads(line)
        analysis = ImageAnalysis(
            "azure",
            10,
            10,
            tags=tuple(Tag(name, 0.9) for name in scene["tags"].split(",")),
            objects=tuple(DetectedObject(o, 0.8, BOX) for o in scene["objects"].split(",") if o),
            text=tuple(TextLine(t, BOX) for t in scene.get("text", "").split("|") if t),
            captions=tuple(filter(None, [scene.get("captions", "")])),
        )
        for kind, caption, wanted, *language in scene["pairs"]:
            yield Pair(
                "tuning" if number % 2 else "held out",
                kind,
                caption,
                language[0] if language else "en",
                frozenset(words(wanted)),
                analysis,
            )


def of_words(some: list[Pair]) -> Score:
    """How well unsupported words are found."""
    score = Score()
    for pair in some:
        score.add(pair.found(), pair.unsupported)
    return score


def of_verdicts(some: list[Pair], threshold: float) -> Score:
    """How well captions with an unsupported word are found by a threshold."""
    score, yes, no = Score(), frozenset({"doubt"}), frozenset[str]()
    for pair in some:
        support = pair.judged()
        doubtful = support is not None and support.score < threshold
        score.add(yes if doubtful else no, yes if pair.unsupported else no)
    return score


def blind(some: list[Pair]) -> tuple[int, int, int]:
    """How many captions invent something; how many of these are found if the model saw no tags, and
    if it repeated wrong tags that it was shown."""
    wrong = [pair for pair in some if pair.kind in {"invented", "wrong kind"} and pair.unsupported]
    apart = sum(bool(pair.found() & pair.unsupported) for pair in wrong)
    shown = [pair.judged(shown=pair.unsupported) for pair in wrong]
    return len(wrong), apart, sum(bool(each and each.unsupported) for each in shown)


def main() -> None:
    """Prints the figures, and each caption that is judged wrong."""
    everything = list(pairs())
    for half in ("tuning", "held out"):
        some = [pair for pair in everything if pair.half == half]
        print(f"{half}: {len(some)} captions; words: {of_words(some)}")
        for threshold in (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0):
            print(f"  verdict at {threshold}: {of_verdicts(some, threshold)}")
    for kind in sorted({pair.kind for pair in everything}):
        some = [pair for pair in everything if pair.kind == kind]
        print(f"{kind} ({len(some)}): {of_words(some)}")
    print("wrong captions, found apart, found with image+tags:", *blind(everything))
    for pair in everything:
        if pair.found() != pair.unsupported:
            found, wanted = sorted(pair.found()), sorted(pair.unsupported)
            print(f"{pair.half} | {pair.kind} | {pair.caption} | {found}, not {wanted}")


if __name__ == "__main__":
    main()
