"""Pictures that are too much for their helper: in the record and by HTTP, each once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from captioning.api.images import ImageChanges, ImageView
from captioning.api.messages import Request
from captioning.config.settings import helper_environ
from captioning.images.helpers.decoders import Decoders
from captioning.images.inspected import Picture
from captioning.images.thumbnails import Thumbnails
from testing.harness.maintenance import MaintenanceLab
from testing.harness.pipeline import PipelineLab, on

URL = "https://app.example/api/images/x"
TOO_MUCH = {
    b"sleep": ("corrupt", "DECODE_SECONDS"),
    b"allocate": ("too_large", "DECODE_MEMORY_MIB"),
    b"heavy allocate": ("too_large", "DECODE_MEMORY_MIB"),
    b"signal 11": ("corrupt", "another program"),
}


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders(256, 1, helper_environ(), "testing.fakes.decoder")
    yield made
    made.close()


@pytest.mark.parametrize("data", TOO_MUCH)
def test_an_event_is_rejected_at_its_first_attempt_and_never_tried_again(
    lab: PipelineLab, decoders: Decoders, data: bytes
) -> None:
    lab.storage.upload("a.jpg", data)
    pipeline = lab.pipeline(inspect=decoders.inspect)
    made = pipeline.process(on("a.jpg"))
    assert made is not None
    assert made.error is not None
    assert (made.status, made.error.attempts) == ("rejected", 1)
    code, advice = TOO_MUCH[data]
    assert made.error.code == code
    assert advice in made.error.message
    assert made.image.sha256
    assert not lab.deferrals.held
    assert pipeline.process(on("a.jpg")) == made
    assert lab.calls == (0, 0)


def test_a_picture_for_which_no_helper_starts_is_deferred(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", b"number 100")
    broken = Decoders(256, 1, helper_environ(), "testing.no_such_module")
    made = lab.pipeline(inspect=broken.inspect).process(on("a.jpg"))
    assert made is not None
    assert made.error is not None
    assert (made.status, made.error.code) == ("deferred", "unavailable")
    assert lab.deferrals.held


def test_a_picture_that_fails_where_a_service_does_not_take_it_is_rejected(
    lab: PipelineLab, decoders: Decoders
) -> None:
    """The first task makes the picture for the model, the second one the picture for Vision."""
    lab.storage.upload("a.jpg", b"number 100")

    def inspect(data: bytes) -> Picture:
        again = partial(decoders.rendition, b"sleep")
        return replace(decoders.inspect(data), format="FAKE", height=100, reencode=again)

    made = lab.pipeline(inspect=inspect).process(on("a.jpg"))
    assert made is not None
    assert made.error is not None
    assert (made.status, made.error.code, made.error.attempts) == ("rejected", "corrupt", 1)


@pytest.mark.parametrize("data", TOO_MUCH)
def test_a_request_is_refused_with_the_same_code(
    lab: PipelineLab, decoders: Decoders, data: bytes
) -> None:
    storage = lab.storage
    assert storage.images.is_there()
    store = storage.thumbnails
    storage.upload("a.jpg", data)
    view = ImageView(
        images=storage.images,
        records=storage.catalog,
        thumbnails=Thumbnails(storage.images, store, decoders.thumbnail, 1_000),
        read_header=decoders.read_header,
        max_image_bytes=1_000,
    )
    upkeep = MaintenanceLab(storage)
    changes = ImageChanges(
        images=storage.images,
        records=storage.catalog,
        check=partial(decoders.check_header, min_side=50),
        erase=storage.erasure(upkeep.now, images=storage.images).erase,
        forget_record=upkeep.cleanup().forget_record,
        max_image_bytes=1_000,
    )
    headers = {"content-length": str(len(data)), "if-none-match": "*"}
    answers = [
        view.get(Request(f"{URL}?width=160", "a.jpg", {})),
        view.get(Request(URL, "a.jpg", {})),
        changes.put(Request(URL, "b.jpg", headers, data)),
    ]
    code, advice = TOO_MUCH[data]
    for answer in answers:
        problem = json.loads(answer.body)
        assert (answer.status, problem["code"]) == (415, code)
        assert advice in problem["detail"]
