"""TextReader: lines of text and where they are, by RapidOCR's models, without a cloud."""

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
"""What was read into 200 crops of 20 photos without text, single signs aside, had 0.76 at most, and
0.81 in one enlarged; of 90 lines of print, blurred and noisy ones too, read right, one is below."""
FEWEST_SIGNS = 2
"""A cup from above is an `8` or `O`, with 0.9 too: one letter or digit alone proves nothing."""

_DETECTOR_SIDE = 320
"""A shorter side is enlarged to it: the detector overlooks the smallest print."""
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
"""Parts of the wheel, named by file so that RapidOCR has nothing to look up or download."""


class TextReader:
    """Reads one picture at a time, on a thread of its own: RapidOCR does not promise more, and
    what it frees in one thread does not serve another. Models are loaded at the first picture."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read")

    @property
    def identity(self) -> str:
        """Models and threshold; the number changes with the rule that makes lines."""
        return f"{MODEL} 1 {MIN_CONFIDENCE:g}"

    def lines(self, picture: Image.Image) -> tuple[TextLine, ...]:
        """The lines of an upright RGB picture, in reading order, boxes in its pixels."""
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
    """From the top, and along a row from the left. What stands beside each other is one row,
    columns too."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=_middle):
        if rows and _is_beside(rows[-1][0], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return tuple(line for row in rows for line in sorted(row, key=lambda line: line.box[0]))


def _middle(line: TextLine) -> float:
    """Its height in the picture, twice."""
    return 2 * line.box[1] + line.box[3]


def _is_beside(one: TextLine, other: TextLine) -> bool:
    """Whether their middles differ by less than half of the flatter line."""
    return _middle(other) - _middle(one) < min(one.box[3], other.box[3])


def _upright_box(corners: Any, size: tuple[int, int]) -> Box:
    """What encloses the four corners, inside the picture."""
    points = np.asarray(corners).round().astype(int).clip(0, size)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return (left, top, right - left, bottom - top)
