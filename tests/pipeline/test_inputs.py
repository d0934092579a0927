"""CAPTION_INPUT: who is shown what, and when."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from captioning.domain.record import CaptionRecord
from captioning.embedded.providers.captioner import NO_TAG, EmbeddedCaptioner
from testing.factories import pictures
from testing.harness.pipeline import PipelineLab, on
from testing.harness.waiting import HUNG_SECONDS
from testing.services.chat_replies import throttled
from testing.services.vision_refusals import refused_32
from testing.services.vision_scene import Scene

JPEG = pictures.oriented(1)


def captioned(lab: PipelineLab, *arguments: Any, **keywords: Any) -> CaptionRecord:
    lab.storage.upload("a.jpg", JPEG)
    made = lab.pipeline(*arguments, **keywords).process(on("a.jpg"))
    assert made is not None
    assert made.status == "captioned"
    return made


def sent(lab: PipelineLab) -> tuple[bool, bool]:
    """Whether the model was sent a picture, and evidence."""
    [request] = lab.model.received
    asked = request.json()["messages"][1:]
    return "data:image/jpeg" in str(asked), "<evidence>{" in str(asked)


def test_picture_and_evidence(lab: PipelineLab) -> None:
    made = captioned(lab, "image+tags")
    assert sent(lab) == (True, True)
    assert made.provenance.input == "image+tags"


def test_the_evidence_alone(lab: PipelineLab) -> None:
    made = captioned(lab, "tags")
    assert sent(lab) == (False, True)
    assert made.provenance.input == "tags"
    assert made.tags


def test_the_picture_alone_and_vision_as_a_witness(lab: PipelineLab) -> None:
    made = captioned(lab, "image")
    assert sent(lab) == (True, False)
    assert made.provenance.input == "image"
    assert made.tags
    assert made.objects


def test_with_the_picture_alone_both_are_asked_at_the_same_time(lab: PipelineLab) -> None:
    both = threading.Barrier(2, timeout=HUNG_SECONDS)
    lab.vision.on_request = lab.model.on_request = both.wait
    captioned(lab, "image")
    assert not both.broken
    assert lab.calls == (1, 1)


def test_without_vision_the_model_sees_the_picture_alone(lab: PipelineLab) -> None:
    made = captioned(lab, vision=False)
    assert sent(lab) == (True, False)
    assert lab.calls == (0, 1)
    assert (made.tags, made.provenance.vision, made.usage.vision_calls) == ((), None, 0)


@pytest.mark.parametrize("caption_input", ["image+tags", "image"])
def test_the_model_gets_no_metadata_and_vision_the_original(
    lab: PipelineLab, caption_input: Any
) -> None:
    lab.storage.upload("a.jpg", pictures.with_gps())
    lab.pipeline(caption_input).process(on("a.jpg"))
    assert b"Secret" not in lab.model.received[0].body
    assert lab.vision.received[0].body == pictures.with_gps()


def test_a_refusal_of_vision_is_recorded_though_the_model_answered(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.vision.faults.append(refused_32("InvalidImageFormat", "Not an image.").reply)
    made = lab.pipeline("image").process(on("a.jpg"))
    assert made is not None
    assert (made.status, made.caption) == ("rejected", None)
    assert lab.calls == (1, 1)


def test_when_both_throttle_the_image_is_deferred_once(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.vision.faults.append(throttled())
    lab.model.faults.append(throttled())
    made = lab.pipeline("image").process(on("a.jpg"))
    assert made is not None
    assert made.error is not None
    assert (made.status, made.error.attempts) == ("deferred", 1)
    assert len(lab.deferrals.held) == 1


@pytest.mark.parametrize("late", ["vision", "model"])
def test_when_one_throttles_the_others_answer_is_kept(lab: PipelineLab, late: str) -> None:
    lab.storage.upload("a.jpg", JPEG)
    (lab.vision if late == "vision" else lab.model).faults.append(throttled())
    lab.pipeline("image").process(on("a.jpg"))
    lab.clock.advance(60)
    made = lab.pipeline("image").process(*lab.due())
    assert made is not None
    assert made.status == "captioned"
    assert lab.calls == ((2, 1) if late == "vision" else (1, 2))
    assert made.usage.vision_calls == lab.local_vision.billed == 3


def test_adult_content_wants_a_look(lab: PipelineLab) -> None:
    lab.local_vision.scene = lambda _: Scene(racy=True)
    made = captioned(lab, analyzer=lab.analyzer(features=("tags", "adult")))
    assert made.review == "needed"


def test_no_confident_tag_means_no_caption_and_a_note(lab: PipelineLab) -> None:
    lab.local_vision.scene = lambda _: Scene(tags=(), text=())
    made = captioned(lab, "tags", captioner=EmbeddedCaptioner())
    assert (made.caption, made.alt_text, made.description) == (None, None, None)
    assert (made.note, made.review) == (NO_TAG, "needed")
