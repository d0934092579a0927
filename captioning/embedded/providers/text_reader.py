"""TextReader: finds lines of text in a picture with RapidOCR's models, on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from captioning.domain.record import Box, TextLine

if TYPE_CHECKING:
    from PIL import Image

MODEL = "pp-ocrv6-small"
MIN_CONFIDENCE = 0.9
"""Measured: in 200 crops of 20 photos without text, false readings of two or more characters had at
most 0.76, and 0.81 in one that was enlarged. Of 90 lines of print that were read correctly, blurred
and noisy ones included, one is below the threshold."""
FEWEST_SIGNS = 2
"""Letters and digits that a line must have. A cup seen from above is read as `8` or `O`, also with
a confidence of 0.9, so a single one proves nothing."""

_DETECTOR_SIDE = 320
"""Pixels. Pictures with a shorter side are enlarged, because the detector misses the smallest
print."""
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
"""Files of the wheel, given by name so that RapidOCR does not look up or download any."""


class TextReader:
    """Reads one picture at a time, on a thread of its own.

    RapidOCR is not documented to be thread-safe, and memory that it frees in one thread is not
    reused by another. Models are loaded with the first picture.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read")

    @property
    def identity(self) -> str:
        """Model and threshold; the number changes with the rule that selects lines."""
        return f"{MODEL} 1 {MIN_CONFIDENCE:g}"

    def lines(self, picture: Image.Image) -> tuple[TextLine, ...]:
        """The lines of text in an upright RGB picture, in reading order, with boxes in its
        pixels."""
        return self._thread.submit(self._lines, picture).result()

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown()

    def _lines(self, picture: Image.Image) -> tuple[TextLine, ...]:
        found = self._engine(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]))
        if found.txts is None:
            return ()
        lines = [
            TextLine(text.strip(), _upright_box(corners, picture.size))
            for text, confidence, corners in zip(found.txts, found.scores, found.boxes, strict=True)
            if confidence >= MIN_CONFIDENCE and sum(map(str.isalnum, text)) >= FEWEST_SIGNS
        ]
        return in_reading_order(lines)

    @cached_property
    def _engine(self) -> Any:
        import cv2  # slow to import, like RapidOCR
        import rapidocr

        cv2.setNumThreads(1)
        folder = Path(rapidocr.__file__).parent / "models"
        runtime = "EngineConfig.onnxruntime"
        return rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                f"{runtime}.intra_op_num_threads": 1,
                f"{runtime}.inter_op_num_threads": 1,
                "Det.limit_type": "min",
                "Det.limit_side_len": _DETECTOR_SIDE,
                "Rec.rec_batch_num": 1,  # as fast on one core, with half the memory
                **{f"{part}.model_path": str(folder / name) for part, name in _MODELS.items()},
            }
        )


def in_reading_order(lines: Iterable[TextLine]) -> tuple[TextLine, ...]:
    """The lines from the top to the bottom, and within a row from the left to the right. Lines
    beside each other are one row, also those of two columns."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=_middle):
        if rows and _is_beside(rows[-1][0], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return tuple(line for row in rows for line in sorted(row, key=lambda line: line.box[0]))


def _middle(line: TextLine) -> float:
    """Twice the height at which the middle of the line is."""
    return 2 * line.box[1] + line.box[3]


def _is_beside(one: TextLine, other: TextLine) -> bool:
    """Whether the middles of two lines differ by less than half the height of the less tall one."""
    return _middle(other) - _middle(one) < min(one.box[3], other.box[3])


def _upright_box(corners: Any, size: tuple[int, int]) -> Box:
    """The upright box around four corners, cut off at the edges of the picture."""
    points = np.asarray(corners).round().astype(int).clip(0, size)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return (left, top, right - left, bottom - top)
