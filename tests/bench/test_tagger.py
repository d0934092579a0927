"""Where the embedded tagger looks is better than the middle of the picture alone."""

from __future__ import annotations

from bench.quality.crops import COUNT, crops
from bench.quality.tagger import LOOKS, verdicts


def test_the_pictures_are_the_same_each_time() -> None:
    first, second = list(crops()), list(crops())
    assert len(first) == COUNT
    assert all(
        a.picture.tobytes() == b.picture.tobytes() for a, b in zip(first, second, strict=True)
    )


def test_more_captions_are_right_and_no_more_are_wrong() -> None:
    confirming = list(crops())[COUNT // 2 :]
    before, now = (verdicts(LOOKS[name], confirming) for name in ("middle square", "the product"))
    assert now["right"] >= before["right"] + 2
    assert now["wrong"] <= before["wrong"]
