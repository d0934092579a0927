"""How often the embedded tagger's captions are right, by where it looks.

`python -m bench.quality.tagger` prints a table.

A caption is right if the objects that people see in the photo (golden.json), or broader terms for
them, are what it names. Choose by the first half of the pictures, and confirm by the second.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from bench.quality.crops import Crop, crops
from bench.quality.golden import GoldenSet
from captioning.domain.record import CaptionText, ImageAnalysis, Tag
from captioning.embedded.providers.captioner import EmbeddedCaptioner
from captioning.embedded.providers.vision import MODEL, EmbeddedVision, Tagger, square
from captioning.support.score import SupportScorer
from testing.factories.pictures import encoded
from testing.factories.renditions import rendition

TAGGER, VISION = Tagger(MODEL), EmbeddedVision(features=("tags",))
CAPTIONER, SCORER = EmbeddedCaptioner(), SupportScorer(("tags",), 0.0)
CONFIDENT = 0.6
OTHER_SENSE = frozenset({"weapon"})
"""What the broader terms call a rocket, and the one in the photo is not."""
Verdict = Literal["right", "wrong", "silent"]
Look = Callable[[Image.Image], Sequence[Tag]]


def _as_is(*views: Image.Image) -> Sequence[Tag]:
    """The tags of the view that is most sure, without its mirror image."""
    return max((TAGGER.ranked(TAGGER.odds(view)) for view in views), key=_sureness)


def _mean(*views: Image.Image) -> Sequence[Tag]:
    return TAGGER.ranked(np.mean([TAGGER.odds(view) for view in views], axis=0))


def _sureness(tags: Sequence[Tag]) -> float:
    return tags[0].confidence


def _squashed(picture: Image.Image) -> Image.Image:
    return picture.resize((224, 224), Image.Resampling.BICUBIC)


def _padded(picture: Image.Image) -> Image.Image:
    return ImageOps.pad(picture, (224, 224), Image.Resampling.BICUBIC, color="#7f7f7f")


def _three(picture: Image.Image) -> list[Image.Image]:
    return [square(picture, place) for place in (0.5, 0.0, 1.0)]


def _quarters(picture: Image.Image) -> list[Image.Image]:
    """The four corners, 60 % of each side."""
    w, h = picture.width * 3 // 5, picture.height * 3 // 5
    places = [(x, y) for x in (0, picture.width - w) for y in (0, picture.height - h)]
    return [square(picture.crop((x, y, x + w, y + h)), 0.5) for x, y in places]


def _or_else(
    picture: Image.Image, more: Callable[[Image.Image], list[Image.Image]], least: float
) -> Sequence[Tag]:
    """The middle or, if it is unsure, the most sure of more views."""
    middle = _as_is(square(picture, 0.5))
    if _sureness(middle) >= CONFIDENT:
        return middle
    other = _as_is(*more(picture))
    return other if _sureness(other) >= least else middle


def _product(picture: Image.Image) -> Sequence[Tag]:
    """What the product says, of the pixels as they are or, as in the app, at most 1,024 long."""
    picture = picture.copy()
    picture.thumbnail((1_024, 1_024))
    return VISION.analyze(rendition(encoded(picture, "PNG"), *picture.size)).tags


LOOKS: dict[str, Look] = {
    "middle square": lambda p: _as_is(square(p, 0.5)),
    "whole, squashed": lambda p: _as_is(_squashed(p)),
    "whole, with bars": lambda p: _as_is(_padded(p)),
    "mean of middle and ends": lambda p: _mean(*_three(p)),
    "most sure of middle and ends": lambda p: _as_is(*_three(p)),
    "most sure of middle and corners": lambda p: _as_is(square(p, 0.5), *_quarters(p)),
    "middle, else end from 0.6": lambda p: _or_else(p, _three, 0.6),
    "middle, else end from 0.8": lambda p: _or_else(p, _three, 0.8),
    "middle, else whole from 0.8": lambda p: _or_else(p, lambda p: [_padded(p)], 0.8),
    "middle, else corner from 0.8": lambda p: _or_else(p, _quarters, 0.8),
    "middle and its mirror image": lambda p: TAGGER.tags(square(p, 0.5)),
    "the product": _product,
}
"""Where to look, by name."""


def verdicts(look: Look, some: Sequence[Crop]) -> Counter[Verdict]:
    """How many captions are right and wrong, and how many pictures have none."""
    return Counter(_verdict(crop, look(crop.picture)) for crop in some)


def _verdict(crop: Crop, tags: Sequence[Tag]) -> Verdict:
    analysis = ImageAnalysis("embedded", *crop.picture.size, tags=tuple(tags[:10]))
    texts = CAPTIONER.caption(None, analysis).texts
    if not texts:
        return "silent"
    [golden] = [each for each in GoldenSet().pictures if each.file == f"{crop.name}.jpg"]
    seen = ImageAnalysis("people", 1, 1, tags=tuple(Tag(name, 1.0) for name in golden.objects))
    caption = CaptionText(texts["en"].caption, "")
    support = SCORER.support(caption, "en", seen)
    is_right = support is not None and not support.unsupported
    is_other = any(word in caption.caption for word in OTHER_SENSE)
    return "right" if is_right and not is_other else "wrong"


def main() -> None:
    """Prints a table: captions right / wrong in either half, and CPU time a picture."""
    everything = list(crops())
    half = len(everything) // 2
    print("| where it looks | first half | second half | CPU ms |\n|---|---|---|---|")
    for name, look in LOOKS.items():
        began = time.process_time()
        for crop in everything:
            look(crop.picture)
        spent = (time.process_time() - began) * 1_000 / len(everything)
        halves = [verdicts(look, part) for part in (everything[:half], everything[half:])]
        shown = " | ".join(f"{part['right']} / {part['wrong']}" for part in halves)
        print(f"| {name} | {shown} | {spent:.1f} |", flush=True)


if __name__ == "__main__":
    main()
