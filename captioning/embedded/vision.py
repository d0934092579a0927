"""EmbeddedVision: tags from a small ONNX model, without a cloud. See model/README.md."""

from __future__ import annotations

import io
import json
import struct
import threading
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from captioning.calls import PLAIN, Calls
from captioning.errors import CorruptImage, ImageTooLarge, ImageTooSmall
from captioning.models import ImageAnalysis, Tag
from captioning.rendition import TURNED, InputLimits, Rendition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

MODEL = Path(__file__).parent / "model"
PROVIDER = "embedded efficientnet-lite0"
MAX_TAGS = 10

_LIMITS = InputLimits(
    frozenset({"JPEG", "PNG"}), max_bytes=20 * 1024 * 1024, min_side=50, max_side=1_024
)
_SIDE = 224
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises for bytes that do not decode."""
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
    """Tags an image on this machine; safe to share between threads. The model is loaded at the
    first image."""

    def __init__(
        self, *, min_confidence: float = 0.6, max_tags: int = MAX_TAGS, model: Path = MODEL
    ) -> None:
        self._min_confidence = min_confidence
        self._max_tags = max_tags
        self._tagger = _Tagger(model)

    @property
    def identity(self) -> str:
        """Model and threshold; the number changes with the rule that makes tags."""
        return f"{PROVIDER} 1 {self._min_confidence:g} {self._max_tags}"

    @property
    def limits(self) -> InputLimits:
        """Small renditions: the model sees 224 x 224 pixels."""
        return _LIMITS

    def analyze(self, image: Rendition, calls: Calls = PLAIN) -> ImageAnalysis:
        """Tags of the upright picture; costs nothing, asks nobody and has no boxes."""
        del calls
        size, square = _square(image)
        tags = self._tagger.tags(square)
        confident = tuple(tag for tag in tags if tag.confidence >= self._min_confidence)
        return ImageAnalysis(
            provider=PROVIDER, width=size[0], height=size[1], tags=confident[: self._max_tags]
        )

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class _Vocabulary:
    """Terms from the most specific to the broadest, and which of the 1,000 classes each has."""

    terms: tuple[str, ...]
    classes: Floats

    @classmethod
    def load(cls, path: Path) -> _Vocabulary:
        """A class counts for its own label and for its broader terms; one name is one term."""
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"]
        named = [(label["label"], *label["broader"]) for label in labels]
        members = Counter(term for names in named for term in set(names))
        terms = tuple(sorted(members, key=lambda term: members[term]))
        row = {term: number for number, term in enumerate(terms)}
        classes = np.zeros((len(terms), len(named)), np.float32)
        for number, names in enumerate(named):
            classes[[row[term] for term in names], number] = 1
        return cls(terms, classes)


class _Tagger:
    """The model and its vocabulary."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loading = threading.Lock()

    def tags(self, square: Image.Image) -> list[Tag]:
        """Every term, the most probable first and, of equals, the most specific."""
        with self._loading:
            session, vocabulary = self._session, self._vocabulary
        pixels = (np.asarray(square, np.float32) - 127) / 128
        [logits] = session.run(None, {"x": pixels.transpose(2, 0, 1)[np.newaxis]})
        odds = np.exp(logits[0] - logits[0].max())
        probable = (vocabulary.classes @ (odds / odds.sum())).astype(float).clip(0, 1).round(4)
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


def _square(image: Rendition) -> tuple[tuple[int, int], Image.Image]:
    """The upright size, and the middle of the upright picture as the model takes it."""
    try:
        with Image.open(io.BytesIO(image.data), formats=sorted(_LIMITS.formats)) as picture:
            width, height = picture.size
            _check(width, height)
            square = ImageOps.fit(_rgb(picture), (_SIDE, _SIDE), Image.Resampling.BICUBIC)
    except Image.DecompressionBombError:
        raise ImageTooLarge("The image has too many pixels for the embedded tagger.") from None
    except _BROKEN as error:
        raise CorruptImage(
            "The image cannot be decoded: upload it again, or save it anew first."
        ) from error
    turned = image.orientation in TURNED
    upright = _UPRIGHT.get(image.orientation)
    return (
        (height, width) if turned else (width, height),
        square.transpose(upright) if upright is not None else square,
    )


def _check(width: int, height: int) -> None:
    if min(width, height) < _LIMITS.min_side:
        raise ImageTooSmall(
            f"The image is {width} x {height} px; each side must have at least"
            f" {_LIMITS.min_side} px. Upload a larger version."
        )
    if max(width, height) > _LIMITS.max_side:
        raise ImageTooLarge(
            f"The image is {width} x {height} px; the embedded tagger takes"
            f" {_LIMITS.max_side} px a side."
        )


def _rgb(picture: Image.Image) -> Image.Image:
    """Eight bits of red, green, blue, on white where the picture is transparent."""
    if picture.mode.startswith("I"):  # 16-bit grey; convert() would cut off above 255
        grey = np.asarray(picture, np.float32) / 257
        return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
