"""Images that cannot be captioned, services that do not answer: each in the record, by its code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.images.picture import Picture
from captioning.pipeline.pipeline import CaptionPipeline
from testing.factories import pictures
from testing.factories.records import START
from testing.harness.pipeline import Service, Works, on
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
SERVICES: dict[str, Callable[[Works], Service]] = {
    "vision": lambda works: works.vision,
    "model": lambda works: works.model,
}


def ended(works: Works, pipeline: CaptionPipeline, path: str = "a.jpg") -> CaptionRecord:
    """The record that a run ends with and returns."""
    made = pipeline.process(on(path))
    assert made is not None
    assert works.stored(path).record == made
    return made


def deferred(works: Works, pipeline: CaptionPipeline) -> CaptionRecord:
    """The record that a run leaves, which promises a message for when its time has come."""
    record = ended(works, pipeline)
    assert record.status == "deferred"
    assert record.error is not None
    assert record.claim is not None
    assert record.claim.until == record.error.retry_at
    assert (record.caption, record.alt_text) == (None, None)
    wake = CaptionMessage("a.jpg", ticket=record.claim.worker)
    [message] = [message for message in works.deferrals.held if message.wake == wake]
    assert message.due == record.error.retry_at
    return record


@pytest.mark.parametrize("caption_input", ["image+tags", "image"])
@pytest.mark.parametrize("name", REJECTED)
def test_a_bad_image_is_recorded_and_nobody_is_asked(
    works: Works, name: str, caption_input: Any
) -> None:
    works.storage.upload("a.jpg", pictures.STRANGE[name][0])
    made = ended(works, works.pipeline(caption_input))
    assert (made.status, made.caption) == ("rejected", None)
    assert made.error is not None
    assert made.error.code == REJECTED[name]
    assert works.calls == (0, 0)


def test_a_blob_beyond_the_limit_is_never_downloaded(works: Works) -> None:
    blob = works.storage.upload("a.jpg", JPEG)
    images, sent = works.storage.recorded_images()
    made = ended(works, works.pipeline(images=images, max_image_bytes=blob.bytes - 1))
    assert made.error is not None
    assert (made.status, made.error.code) == ("rejected", "too_large")
    assert "MAX_IMAGE_BYTES" in made.error.message
    assert sent == ["HEAD"]


def test_a_video_of_60_mib_is_never_downloaded(works: Works) -> None:
    works.storage.allocate("video.jpg", 60 * 1024 * 1024)
    images, sent = works.storage.recorded_images()
    made = ended(works, works.pipeline(images=images), "video.jpg")
    assert (made.status, made.image.bytes) == ("rejected", 60 * 1024 * 1024)
    assert sent == ["HEAD"]


def test_a_blob_at_the_limit_is_downloaded(works: Works) -> None:
    blob = works.storage.upload("a.jpg", JPEG)
    images, sent = works.storage.recorded_images()
    made = ended(works, works.pipeline(images=images, max_image_bytes=blob.bytes))
    assert made.status == "captioned"
    assert sent == ["HEAD", "GET"]


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
@pytest.mark.parametrize(("fault", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_a_service_that_fails_defers_the_image(
    works: Works, service: Callable[[Works], Service], fault: Reply, code: str
) -> None:
    works.storage.upload("a.jpg", JPEG)
    service(works).faults.append(fault)
    record = deferred(works, works.pipeline())
    assert record.error is not None
    assert (record.error.code, record.error.attempts) == (code, 1)
    assert "secret detail" not in record.error.message
    assert record.image.sha256
    works.clock.advance(3600)
    assert ended(works, works.pipeline()).status == "captioned"


@pytest.mark.parametrize("caption_input", ["image+tags", "image"])
@pytest.mark.parametrize("slow", SERVICES)
def test_a_service_that_does_not_answer_defers_the_image(
    works: Works, slow: str, caption_input: Any
) -> None:
    works.storage.upload("a.jpg", JPEG)
    SERVICES[slow](works).faults.append(Reply(delay=60))
    analyzer = works.analyzer(timeouts=(5, 0.2)) if slow == "vision" else None
    captioner = works.captioner(read_timeout=0.2) if slow == "model" else None
    pipeline = works.pipeline(caption_input, analyzer=analyzer, captioner=captioner)
    record = deferred(works, pipeline)
    assert record.error is not None
    assert record.error.code == "timeout"


def test_attempts_count_up_until_it_works(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    pipeline = works.pipeline()
    for attempt in (1, 2, 3):
        works.model.faults.append(throttled())
        record = deferred(works, pipeline)
        assert record.error is not None
        assert record.error.attempts == attempt
        works.clock.advance(3600)
    assert ended(works, pipeline).error is None


def test_attempts_at_an_earlier_upload_do_not_count(works: Works) -> None:
    pipeline = works.pipeline()
    for data in (JPEG, pictures.oriented(6)):
        works.storage.upload("a.jpg", data)
        works.vision.faults.append(throttled())
        record = deferred(works, pipeline)
        assert record.error is not None
        assert record.error.attempts == 1
        works.clock.advance(30)


def test_a_deferred_run_keeps_what_was_known(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    known = ended(works, works.pipeline())
    works.vision.faults.append(throttled())
    works.clock.advance(3600)
    kept = ended(works, works.pipeline("image"))
    assert (kept.status, kept.created) == ("deferred", START)
    assert kept.updated == START + timedelta(hours=1)
    assert (kept.caption, kept.tags) == (known.caption, known.tags)
    assert kept.provenance == known.provenance


@pytest.mark.parametrize("reply", [filtered_prompt(), filtered_output()], ids=["prompt", "output"])
def test_what_the_content_filter_stops_is_rejected(works: Works, reply: Reply) -> None:
    works.storage.upload("a.jpg", JPEG)
    works.chat_service.script.append(reply)
    made = ended(works, works.pipeline())
    assert made.error is not None
    assert (made.status, made.error.code, made.caption) == ("rejected", "content_filtered", None)


def test_what_vision_refuses_is_rejected(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    works.vision.faults.append(refused_32("InvalidImageFormat", "Not an image.").reply)
    made = ended(works, works.pipeline())
    assert made.error is not None
    assert (made.error.code, works.calls) == ("corrupt", (1, 0))


def test_nonsense_from_the_model_fails_and_is_not_asked_again(works: Works) -> None:
    works.storage.upload("a.jpg", JPEG)
    works.chat_service.script.extend(["nonsense", "more nonsense"])
    made = ended(works, works.pipeline())
    assert made.error is not None
    assert (made.status, made.error.code, made.caption) == ("failed", "bad_response", None)
    assert ended(works, works.pipeline()) == made
    assert works.calls == (1, 2)


def test_a_bug_reaches_the_host_and_leaves_no_claim(works: Works) -> None:
    """The host tries again at once: nothing may stand in its way."""
    works.storage.upload("a.jpg", JPEG)

    def buggy(_: bytes) -> Picture:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        works.pipeline(inspect=buggy).process(on("a.jpg"))
    left = works.stored("a.jpg").record
    assert (left.status, left.claim, left.caption) == ("processing", None, None)
    assert ended(works, works.pipeline()).status == "captioned"
