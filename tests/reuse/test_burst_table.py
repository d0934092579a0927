"""`captionsbursts`: what a frame finds around it, in one request."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from captioning.images.sketch import Sketch
from captioning.reuse.bursts import Frame
from testing.factories.records import START
from testing.harness.storage import Storage

MINUTE = timedelta(minutes=1)
FRAME = Frame("group", "ab" * 32, START, START + MINUTE, Sketch(2**64 - 1, bytes(range(256)) * 18))


def uploaded(seconds: float, sha256: str, group: str = "group") -> Frame:
    at = START + timedelta(seconds=seconds)
    return replace(FRAME, group=group, uploaded=at, sha256=sha256 * 32)


def test_a_frame_finds_those_around_it_the_newest_first(storage: Storage) -> None:
    frames = [uploaded(at, name) for at, name in ((-61, "01"), (-60, "02"), (0, "03"), (60, "04"))]
    for frame in (*frames, uploaded(61, "05"), uploaded(0, "06", "other"), FRAME):
        storage.bursts.put(frame)
    found = storage.bursts.around(FRAME, MINUTE, 10)
    assert [frame.sha256[:2] for frame in found] == ["04", "03", "02"]
    assert found[1] == replace(frames[2], sketch=Sketch(2**64 - 1))
    assert storage.bursts.pixels(found[1]) == FRAME.sketch.pixels
    assert [frame.sha256[:2] for frame in storage.bursts.around(FRAME, MINUTE, 2)] == ["04", "03"]


def test_the_last_word_on_a_frame_is_kept_until_it_is_removed(storage: Storage) -> None:
    storage.bursts.put(FRAME)
    storage.bursts.put(replace(FRAME, since=START + 2 * MINUTE))
    other = uploaded(1, "cd")
    [found] = storage.bursts.around(other, MINUTE, 10)
    assert (found.sha256, found.since) == (FRAME.sha256, START + 2 * MINUTE)
    for _ in range(2):
        storage.bursts.remove(FRAME)
    assert storage.bursts.around(other, MINUTE, 10) == []
    assert storage.bursts.pixels(FRAME) is None
