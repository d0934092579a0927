"""EmbeddedCaptioner: captions made from a confident tag, without a model."""

from __future__ import annotations

import re

from captioning.captioner import rules
from captioning.domain.record import Captioning, CaptionText, ImageAnalysis, Tag
from captioning.images.rendition import Rendition
from captioning.resilience.calls import PLAIN, Calls
from captioning.text import visible

MODEL = "embedded"
NO_TAG = "No confident tag, so no caption; CAPTION_PROVIDER sets a model that sees the picture."
_CONSONANT_SOUND = re.compile(r"uni(?!n)|use|usu|uk|ur[ai]|eu|ewe|one\b|u\b", re.IGNORECASE)
_SILENT_H = re.compile(r"hour|honest|honou?r|heir", re.IGNORECASE)
_SINGULAR_IN_S = re.compile(
    r"(?:[su]s|is|ops|lens|\b(?:atlas|canvas|gas|patas|flandres|pyrenees|series|species))$"
)
_PLURAL = re.compile(r"\b(?:people|men|women|children|feet|teeth|mice|geese|cattle|skis)$")
_MASS = re.compile(
    r"\b(?:art|bread|broccoli|brass|carbonara|clothing|consomme|cookware|coral|corn|dough|eggnog|"
    r"equipment|espresso|fabric|food|footwear|fruit|furniture|grass|guacamole|hair|hair spray|hay|"
    r"headwear|hen-of-the-woods|ice|ice cream|jewelry|lotion|mail|mashed potato|meat|milk|money|"
    r"mud|paper|plastic|rain|rice|sand|snow|soap|sunscreen|text|tissue|velvet|water|wine|wood|wool)$"
)


class EmbeddedCaptioner:
    """Makes captions in English from tags alone.

    It expects tags as the embedded tagger returns them: their confidences are sums of one
    distribution over classes (animal 0.95, cat 0.87), and of equal ones the most specific comes
    first. Tags above one half then have a class in common, so that the least probable of them is
    the most specific. ValueError for other languages, or a confidence that is not above one half.
    """

    def __init__(
        self, *, languages: tuple[str, ...] = ("en",), min_confidence: float = 0.6
    ) -> None:
        if languages != ("en",):
            raise ValueError("CAPTION_LANGUAGES must be en for the embedded captioner")
        if not 0.5 < min_confidence <= 1:
            raise ValueError("the confidence of a tag must be above one half")
        self._min_confidence = min_confidence

    @property
    def identity(self) -> str:
        """Changes with the rule that selects the tag."""
        return f"{MODEL} 1 {self._min_confidence:g}"

    def close(self) -> None:
        """Has no effect: there are no connections."""

    def caption(
        self, image: Rendition | None, evidence: ImageAnalysis | None, calls: Calls = PLAIN
    ) -> Captioning:
        """A caption made from the evidence; the image is not used, and no service is called."""
        del image, calls
        said = self._said(evidence) if evidence else None
        if said is None:
            return Captioning(MODEL, {}, note=NO_TAG)
        text = CaptionText(caption=said, alt_text=said)
        return Captioning(MODEL, {"en": rules.repaired(text, decorative=False)})

    def _said(self, evidence: ImageAnalysis) -> str | None:
        name = self._best(evidence.tags)
        if name:
            return sentence(name)
        words = visible.tidy(" ".join(line.text for line in evidence.text)).replace("”", "’’")
        if not visible.has_words(words):
            return None
        room = rules.ALT_TEXT - len("Text reading “”.")
        return f"Text reading “{rules.cut(words, room)}”."

    def _best(self, tags: tuple[Tag, ...]) -> str | None:
        """The most specific of the confident tags; empty if there is none."""
        confident = [tag for tag in tags if tag.confidence >= self._min_confidence]
        named = [tag for tag in confident if visible.has_words(tag.name)]
        best = min(named, key=lambda tag: tag.confidence, default=None)
        return visible.tidy(best.name) if best else None


def sentence(name: str) -> str:
    """A tag as a sentence: "A cat.", "An hourglass.", "Binoculars.", "Guacamole."."""
    phrase = name if _uncounted(name) else f"{article(name)} {name}"
    return f"{phrase[:1].upper()}{phrase[1:]}."


def article(name: str) -> str:
    """`a` or `an`, by the sound that follows."""
    vowel = name[:1].lower() in "aeiou" and not _CONSONANT_SOUND.match(name)
    return "an" if vowel or _SILENT_H.match(name) else "a"


def _uncounted(name: str) -> bool:
    """Whether the tag takes no article: a plural, or a substance."""
    noun = name.lower()
    if _PLURAL.search(noun) or _MASS.search(noun):
        return True
    return noun.endswith("s") and not _SINGULAR_IN_S.search(noun)
