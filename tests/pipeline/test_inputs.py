"""CAPTION_INPUT: who is shown what, and when."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from captioning.domain.record import CaptionRecord
from captioning.embedded.providers.captioner import NO_TAG, EmbeddedCaptioner
from testing.factories import pictures
from testing.harness.pipeline import Works, on
from testing.services.chat_replies import throttled
from testing.services.vision_refusals import refused_32
from testing.services.vision_scene import Scene

JPEG = pictures.oriented(1)


def captioned(works: Works, *arguments: Any, **keywords: Any) -> CaptionRecord:
    works.storage.upload("a.jpg", JPEG)
    made = works.pipeline(*arguments, **keywords).process(on("a.jpg"))
    assert made is not None
    assert made.status == "captioned"
    return made


def sent(works: Works) -> tuple[bool, bool]:
    """Whether the model was sent a picture, and evidence."""
    [request] = works.model.received
    asked = request.json()["messages"][1:]
    return "data:image/jpeg" in str(asked), "<evidence>{" in str(asked)


def test_picture_and_evidence(works: Works) -> None:
    made = captioned(works, "image+tags")
    assert sent(works) == (True, True)
    assert made.provenance.input == "image+tags"


def test_the_evidence_alone(works: Works) -> None:
    made = captioned(works, "tags")
    assert sent(works) == (False, True)
    assert made.provenance.input == "tags"
    assert made.tags


def test_the_picture_alone_and_vision_as_a_witness(works: Works) -> None:
    made = captioned(works, "image")
    assert sent(works) == (True, False)
    assert made.provenance.input == "image"
    assert made.tags
    assert made.objects


def test_with_the_picture_alone_both_are_asked_at_the_same_time(works: Works) -> None:
    both = threading.Barrier(2, timeout=30)
    works.vision.on_request = works.model.on_request = both.wait
    captioned(works, "image")
    assert not both.broken
    assert works.calls == (1, 1)


def test_without_vision_the_model_sees_the_picture_alone(works: Works) -> None:
    made = captioned(works, vision=False)
    assert sent(works) == (True, False)
    assert works.calls == (0, 1)
    assert (made.tags, made.provenance.vision, made.usage.vision_calls) == ((), None, 0)


@pytest.mark.parametrize("caption_input", ["image+tags", "image"])
def test_the_model_gets_no_metadata_and_vision_the_original(
    works: Works, caption_input: Any
) -> None:
    works.storage.upload("a.jpg", pictures.with_gps())
    works.pipeline(caption_input).process(on("a.jpg"))
    assert b"Secret" not in works.model.received[0].body
    assert works.vision.received[0].body == pictures.with_gps()


def test_a_refusal_of_vision_is_recorded_though_the_model_answered(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    works.vision.faults.append(refused_32("InvalidImageFormat", "Not an image.").reply)
    made = works.pipeline("image").process(on("a.jpg"))
    assert made is not None
    assert (made.status, made.caption) == ("rejected", None)
    assert works.calls == (1, 1)


def test_when_both_throttle_the_image_is_deferred_once(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    works.vision.faults.append(throttled())
    works.model.faults.append(throttled())
    made = works.pipeline("image").process(on("a.jpg"))
    assert made is not None
    assert made.error is not None
    assert (made.status, made.error.attempts) == ("deferred", 1)
    assert len(works.deferrals.held) == 1


@pytest.mark.parametrize("late", ["vision", "model"])
def test_when_one_throttles_the_others_answer_is_kept(works: Works, late: str) -> None:
    works.storage.upload("a.jpg", JPEG)
    (works.vision if late == "vision" else works.model).faults.append(throttled())
    works.pipeline("image").process(on("a.jpg"))
    works.clock.advance(60)
    made = works.pipeline("image").process(*works.due())
    assert made is not None
    assert made.status == "captioned"
    assert works.calls == ((2, 1) if late == "vision" else (1, 2))
    assert made.usage.vision_calls == works.local_vision.billed == 3


def test_adult_content_wants_a_look(works: Works) -> None:
    works.local_vision.scene = lambda _: Scene(racy=True)
    made = captioned(works, analyzer=works.analyzer(features=("tags", "adult")))
    assert made.review == "needed"


def test_no_confident_tag_means_no_caption_and_a_note(works: Works) -> None:
    works.local_vision.scene = lambda _: Scene(tags=(), text=())
    made = captioned(works, "tags", captioner=EmbeddedCaptioner())
    assert (made.caption, made.alt_text, made.description) == (None, None, None)
    assert (made.note, made.review) == (NO_TAG, "needed")
