"""EmbeddedVision: tags and text from small ONNX models, on this machine. See model/README.md."""

from __future__ import annotations

import io
import json
import struct
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from captioning.domain.record import ImageAnalysis, Tag, TextLine
from captioning.embedded.providers.text_reader import MODEL as TEXT_MODEL
from captioning.embedded.providers.text_reader import TextReader
from captioning.errors import CorruptImage, ImageTooLarge, ImageTooSmall
from captioning.images.rendition import InputLimits, Rendition
from captioning.resilience.calls import PLAIN, Calls

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MODEL = Path(__file__).parent / "model"
TAG_MODEL = "efficientnet-lite0"
FEATURES = ("tags", "read")
"""What the provider can do, by the names of VISION_FEATURES."""
MAX_TAGS = 10
MOSTLY_TEXT = 0.2
"""The share of a picture that text must cover for it to get no tags: the tagger has no class for a
page, and takes one for a web site or a menu. On a sign or a postcard text covers half of that."""
LONG = 1.2
"""How many times as long as its short side a picture's long side must be for its ends to count."""
SURE_OF_AN_END = 0.8
"""The confidence that an end needs, because each further look is one more chance to be wrong."""

_LIMITS = InputLimits(
    frozenset({"JPEG", "PNG"}), max_bytes=20 * 1024 * 1024, min_side=50, max_side=1_024
)
_SIDE = 224
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises for bytes that cannot be decoded."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class EmbeddedVision:
    """Tags an image and reads its text on this machine. Safe to share between threads.

    Models are loaded with the first image. ValueError if `features` has none that it supports.
    """

    def __init__(
        self,
        *,
        features: Collection[str] = FEATURES,
        min_confidence: float = 0.6,
        max_tags: int = MAX_TAGS,
        model: Path = MODEL,
    ) -> None:
        if not set(FEATURES) & set(features):
            raise ValueError(
                f"VISION_FEATURES has none of the embedded provider's features:"
                f" {', '.join(FEATURES)}"
            )
        self._min_confidence = min_confidence
        self._max_tags = max_tags
        self._tagger = Tagger(model) if "tags" in features else None
        self._reader = TextReader() if "read" in features else None

    @property
    def identity(self) -> str:
        """Models and thresholds; the numbers change with the rules that select tags and lines."""
        tagger = f"{TAG_MODEL} 3 {self._min_confidence:g} {self._max_tags}"
        parts = [tagger if self._tagger else "", self._reader.identity if self._reader else ""]
        return f"embedded {' + '.join(filter(None, parts))}"

    @property
    def limits(self) -> InputLimits:
        """Small renditions are enough: the tagger uses 224 x 224 pixels, and at 1,024 px an A4 page
        in 8 points is read without an error."""
        return _LIMITS

    def analyze(self, image: Rendition, calls: Calls = PLAIN) -> ImageAnalysis:
        """The tags and text of the upright picture. It costs nothing and calls no service."""
        del calls
        picture = _upright(image)
        text = self._reader.lines(picture) if self._reader else ()
        models = [TAG_MODEL if self._tagger else "", TEXT_MODEL if self._reader else ""]
        return ImageAnalysis(
            provider=f"embedded {' + '.join(filter(None, models))}",
            width=picture.width,
            height=picture.height,
            tags=() if _is_mostly_text(picture, text) else self._tags(picture),
            text=text,
        )

    def _tags(self, picture: Image.Image) -> tuple[Tag, ...]:
        """The confident tags of the square in the middle of the picture or, if it has none, of that
        at one end of a long picture. bench/quality/crops.py measures why these."""
        if self._tagger is None:
            return ()
        tags = self._tagger.tags(square(picture, 0.5))
        if tags[0].confidence < self._min_confidence and _is_long(picture):
            ends = [self._tagger.tags(square(picture, place)) for place in (0.0, 1.0)]
            surer = max(ends, key=lambda end: end[0].confidence)
            tags = surer if surer[0].confidence >= SURE_OF_AN_END else tags
        confident = tuple(tag for tag in tags if tag.confidence >= self._min_confidence)
        return confident[: self._max_tags]

    def close(self) -> None:
        """Ends the thread of the text reader."""
        if self._reader:
            self._reader.close()


@dataclass(frozen=True)
class _Vocabulary:
    """The terms from the most specific to the broadest, and a matrix of which of the 1,000 classes
    belong to each (1.0 or 0.0)."""

    terms: tuple[str, ...]
    classes: Floats

    @classmethod
    def load(cls, path: Path) -> _Vocabulary:
        """Reads the vocabulary. A class belongs to its own label and to its broader terms; equal
        names are one term."""
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
        named = [(label["label"], *label["broader"]) for label in labels]
        members = Counter(term for names in named for term in set(names))
        terms = tuple(sorted(members, key=lambda term: members[term]))
        row = {term: number for number, term in enumerate(terms)}
        classes = np.zeros((len(terms), len(named)), np.float32)
        for number, names in enumerate(named):
            classes[[row[term] for term in names], number] = 1
        return cls(terms, classes)


class Tagger:
    """The model and its vocabulary. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loading = threading.Lock()

    def tags(self, view: Image.Image) -> list[Tag]:
        """Every term, by the mean of the square and its mirror image, which is right more often
        than either. The most probable first; of equally probable ones the most specific first."""
        return self.ranked(
            np.mean([self.odds(each) for each in (view, ImageOps.mirror(view))], axis=0)
        )

    def odds(self, view: Image.Image) -> Floats:
        """The probability of each of the 1,000 classes for a square of 224 x 224 pixels in RGB."""
        with self._loading:
            session = self._session
        pixels = (np.asarray(view, np.float32) - 127) / 128
        [logits] = session.run(None, {"x": pixels.transpose(2, 0, 1)[np.newaxis]})
        odds: Floats = np.exp(logits[0] - logits[0].max())
        odds /= odds.sum()
        return odds

    def ranked(self, odds: Floats) -> list[Tag]:
        """Every term with the sum of its classes' probabilities, in the order of `tags`."""
        with self._loading:
            vocabulary = self._vocabulary
        probable = (vocabulary.classes @ odds).astype(float).clip(0, 1).round(4)
        ranked = np.argsort(-probable, kind="stable")
        return [Tag(vocabulary.terms[row], float(probable[row])) for row in ranked]

    @cached_property
    def _vocabulary(self) -> _Vocabulary:
        return _Vocabulary.load(self._folder / "imagenet1k-labels.json")

    @cached_property
    def _session(self) -> Any:
        import onnxruntime  # slow to import

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(
            self._folder / "efficientnet-lite0.onnx", options, providers=["CPUExecutionProvider"]
        )


def square(picture: Image.Image, place: float) -> Image.Image:
    """The largest square of a picture as the tagger takes it, at this place of the long side: 0 is
    the left or upper end, 1 the other."""
    size = (_SIDE, _SIDE)
    return ImageOps.fit(picture, size, Image.Resampling.BICUBIC, centering=(place, place))


def _is_long(picture: Image.Image) -> bool:
    return max(picture.size) >= LONG * min(picture.size)


def _upright(image: Rendition) -> Image.Image:
    """The picture in RGB as viewers show it. CorruptImage, ImageTooSmall or ImageTooLarge if it
    cannot be used."""
    try:
        with Image.open(io.BytesIO(image.data), formats=sorted(_LIMITS.formats)) as picture:
            _check(*picture.size)
            pixels = _rgb(picture)
    except Image.DecompressionBombError:
        raise ImageTooLarge("The image has too many pixels for the embedded provider.") from None
    except _BROKEN as error:
        raise CorruptImage(
            "The image cannot be decoded. Save it again with an image editor, and upload that."
        ) from error
    turn = _UPRIGHT.get(image.orientation)
    return pixels if turn is None else pixels.transpose(turn)


def _is_mostly_text(picture: Image.Image, text: tuple[TextLine, ...]) -> bool:
    """Whether text covers so much of the picture that its tags would be wrong."""
    covered = sum(width * height for _, _, width, height in (line.box for line in text))
    return covered >= MOSTLY_TEXT * picture.width * picture.height


def _check(width: int, height: int) -> None:
    if min(width, height) < _LIMITS.min_side:
        raise ImageTooSmall(
            f"The image is {width} x {height} px; each side must have at least"
            f" {_LIMITS.min_side} px. Upload a larger version."
        )
    if max(width, height) > _LIMITS.max_side:
        raise ImageTooLarge(
            f"The image is {width} x {height} px; the embedded provider accepts at most"
            f" {_LIMITS.max_side} px per side."
        )


def _rgb(picture: Image.Image) -> Image.Image:
    """The picture in RGB with eight bits a channel, on white where it is transparent."""
    if picture.mode.startswith("I"):  # 16-bit grey; convert() would cut off above 255
        grey = np.asarray(picture, np.float32) / 257
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
