"""Images that cannot be captioned, services that do not answer: each in the record, by its code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.images.inspected import Picture
from captioning.pipeline.pipeline import CaptionPipeline
from testing.factories import pictures
from testing.factories.records import START
from testing.harness.pipeline import PipelineLab, Service, on
from testing.services.chat_replies import filtered_output, filtered_prompt, throttled
from testing.services.server import Reply
from testing.services.vision_refusals import refused_32

JPEG = pictures.oriented(1)
REJECTED = {name: code for name, (_, code) in pictures.STRANGE.items() if code}
FAULTS: dict[str, tuple[Reply, str]] = {
    "throttled": (throttled(retry_after="7"), "throttled"),
    "broken": (Reply(500, {"error": {"code": "500", "message": "secret detail"}}), "unavailable"),
    "reset": (Reply(reset=True), "unavailable"),
    "cut": (Reply(200, {"a": "b" * 1000}, cut=True), "unavailable"),
    "no key": (Reply(401, {"error": {"code": "401", "message": "secret detail"}}), "auth"),
    "no model": (Reply(404, {"error": {"code": "404", "message": "secret detail"}}), "model_gone"),
}
SERVICES: dict[str, Callable[[PipelineLab], Service]] = {
    "vision": lambda lab: lab.vision,
    "model": lambda lab: lab.model,
}


def ended(lab: PipelineLab, pipeline: CaptionPipeline, path: str = "a.jpg") -> CaptionRecord:
    """The record that a run ends with and returns."""
    made = pipeline.process(on(path))
    assert made is not None
    assert lab.stored(path).record == made
    return made


def deferred(lab: PipelineLab, pipeline: CaptionPipeline) -> CaptionRecord:
    """The record that a run leaves, which promises a message for when its time has come."""
    record = ended(lab, pipeline)
    assert record.status == "deferred"
    assert record.error is not None
    assert record.claim is not None
    assert record.claim.until == record.error.retry_at
    assert (record.caption, record.alt_text) == (None, None)
    wake = CaptionMessage("a.jpg", ticket=record.claim.worker)
    [message] = [message for message in lab.deferrals.held if message.wake == wake]
    assert message.due == record.error.retry_at
    return record


@pytest.mark.parametrize("caption_input", ["image+tags", "image"])
@pytest.mark.parametrize("name", REJECTED)
def test_a_bad_image_is_recorded_and_nobody_is_asked(
    lab: PipelineLab, name: str, caption_input: Any
) -> None:
    lab.storage.upload("a.jpg", pictures.STRANGE[name][0])
    made = ended(lab, lab.pipeline(caption_input))
    assert (made.status, made.caption) == ("rejected", None)
    assert made.error is not None
    assert made.error.code == REJECTED[name]
    assert lab.calls == (0, 0)


def test_a_blob_beyond_the_limit_is_never_downloaded(lab: PipelineLab) -> None:
    blob = lab.storage.upload("a.jpg", JPEG)
    images, sent = lab.storage.recorded_images()
    made = ended(lab, lab.pipeline(images=images, max_image_bytes=blob.bytes - 1))
    assert made.error is not None
    assert (made.status, made.error.code) == ("rejected", "too_large")
    assert "MAX_IMAGE_BYTES" in made.error.message
    assert sent == ["HEAD"]


def test_a_video_of_60_mib_is_never_downloaded(lab: PipelineLab) -> None:
    lab.storage.allocate("video.jpg", 60 * 1024 * 1024)
    images, sent = lab.storage.recorded_images()
    made = ended(lab, lab.pipeline(images=images), "video.jpg")
    assert (made.status, made.image.bytes) == ("rejected", 60 * 1024 * 1024)
    assert sent == ["HEAD"]


def test_a_blob_at_the_limit_is_downloaded(lab: PipelineLab) -> None:
    blob = lab.storage.upload("a.jpg", JPEG)
    images, sent = lab.storage.recorded_images()
    made = ended(lab, lab.pipeline(images=images, max_image_bytes=blob.bytes))
    assert made.status == "captioned"
    assert sent == ["HEAD", "GET"]


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
@pytest.mark.parametrize(("fault", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_a_service_that_fails_defers_the_image(
    lab: PipelineLab, service: Callable[[PipelineLab], Service], fault: Reply, code: str
) -> None:
    lab.storage.upload("a.jpg", JPEG)
    service(lab).faults.append(fault)
    record = deferred(lab, lab.pipeline())
    assert record.error is not None
    assert (record.error.code, record.error.attempts) == (code, 1)
    assert "secret detail" not in record.error.message
    assert record.image.sha256
    lab.clock.advance(3600)
    assert ended(lab, lab.pipeline()).status == "captioned"


@pytest.mark.parametrize("caption_input", ["image+tags", "image"])
@pytest.mark.parametrize("slow", SERVICES)
def test_a_service_that_does_not_answer_defers_the_image(
    lab: PipelineLab, slow: str, caption_input: Any
) -> None:
    lab.storage.upload("a.jpg", JPEG)
    SERVICES[slow](lab).faults.append(Reply(delay=60))
    analyzer = lab.analyzer(timeouts=(5, 0.2)) if slow == "vision" else None
    captioner = lab.captioner(read_timeout=0.2) if slow == "model" else None
    pipeline = lab.pipeline(caption_input, analyzer=analyzer, captioner=captioner)
    record = deferred(lab, pipeline)
    assert record.error is not None
    assert record.error.code == "timeout"


def test_attempts_count_up_until_it_works(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    pipeline = lab.pipeline()
    for attempt in (1, 2, 3):
        lab.model.faults.append(throttled())
        record = deferred(lab, pipeline)
        assert record.error is not None
        assert record.error.attempts == attempt
        lab.clock.advance(3600)
    assert ended(lab, pipeline).error is None


def test_attempts_at_an_earlier_upload_do_not_count(lab: PipelineLab) -> None:
    pipeline = lab.pipeline()
    for data in (JPEG, pictures.oriented(6)):
        lab.storage.upload("a.jpg", data)
        lab.vision.faults.append(throttled())
        record = deferred(lab, pipeline)
        assert record.error is not None
        assert record.error.attempts == 1
        lab.clock.advance(30)


def test_a_deferred_run_keeps_what_was_known(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    known = ended(lab, lab.pipeline())
    lab.vision.faults.append(throttled())
    lab.clock.advance(3600)
    kept = lab.pipeline("image").process(CaptionMessage("a.jpg", renew="texts"))
    assert kept is not None
    assert (kept.status, kept.created) == ("deferred", START)
    assert kept.updated == START + timedelta(hours=1)
    assert (kept.caption, kept.tags) == (known.caption, known.tags)
    assert kept.provenance == known.provenance


@pytest.mark.parametrize("reply", [filtered_prompt(), filtered_output()], ids=["prompt", "output"])
def test_what_the_content_filter_stops_is_rejected(lab: PipelineLab, reply: Reply) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.chat_service.script.append(reply)
    made = ended(lab, lab.pipeline())
    assert made.error is not None
    assert (made.status, made.error.code, made.caption) == ("rejected", "content_filtered", None)


def test_what_vision_refuses_is_rejected(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.vision.faults.append(refused_32("InvalidImageFormat", "Not an image.").reply)
    made = ended(lab, lab.pipeline())
    assert made.error is not None
    assert (made.error.code, lab.calls) == ("corrupt", (1, 0))


def test_nonsense_from_the_model_fails_and_is_not_asked_again(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    lab.chat_service.script.extend(["nonsense", "more nonsense"])
    made = ended(lab, lab.pipeline())
    assert made.error is not None
    assert (made.status, made.error.code, made.caption) == ("failed", "bad_response", None)
    assert ended(lab, lab.pipeline()) == made
    assert lab.calls == (1, 2)


def test_a_bug_reaches_the_host_and_leaves_no_claim(lab: PipelineLab) -> None:
    """The host tries again at once: nothing may stand in its way."""
    lab.storage.upload("a.jpg", JPEG)

    def buggy(_: bytes) -> Picture:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lab.pipeline(inspect=buggy).process(on("a.jpg"))
    left = lab.stored("a.jpg").record
    assert (left.status, left.claim, left.caption) == ("processing", None, None)
    assert ended(lab, lab.pipeline()).status == "captioned"
