"""Images whose bytes storage does not give: archived, or encrypted with a key of the customer's."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from azure.storage.blob import BlobClient, StandardBlobTier

from captioning.api.error_responses import respond
from captioning.api.images import ImageChanges, ImageView
from captioning.api.messages import Request
from captioning.domain.record import CaptionRecord, record_id
from captioning.images.picture import check_header, read_header, thumbnail
from captioning.images.thumbnails import Thumbnails
from captioning.maintenance.recaption import Recaption
from captioning.records.edits import edited
from testing.factories import pictures
from testing.harness.maintenance import ReconcileLab
from testing.harness.pipeline import PipelineLab, on
from testing.harness.proxied_storage import Behind
from testing.harness.storage import Storage
from testing.services.server import Reply

JPEG = pictures.oriented(1)
DAYS = timedelta(days=10)
ENCRYPTED = "BlobUsesCustomerSpecifiedEncryption"


def moved(storage: Storage, path: str, tier: StandardBlobTier) -> None:
    """Sets the tier of a blob."""
    with BlobClient.from_connection_string(storage.connection, storage.name, path) as blob:
        blob.set_standard_blob_tier(tier)


def waiting(lab: PipelineLab, code: str) -> CaptionRecord:
    """The record of an image that cannot be read now."""
    record = lab.stored("a.jpg").record
    assert record.error is not None
    assert (record.status, record.error.code) == ("deferred", code)
    return record


def run_on(lab: PipelineLab, process: Callable[..., object]) -> list[float]:
    """Delivers messages until none is left, each when it is due; the hours at which that was."""
    start, hours = lab.clock(), []
    while lab.deferrals.held:
        due = min(message.due for message in lab.deferrals.held)
        lab.clock.advance(max(0.0, (due - lab.clock()).total_seconds()))
        hours.append((lab.clock() - start).total_seconds() / 3600)
        for message in lab.due():
            process(message)
        assert len(hours) < 50
    return hours


def test_an_archived_image_says_so_and_is_tried_ever_more_rarely(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    moved(lab.storage, "a.jpg", StandardBlobTier.ARCHIVE)
    pipeline = lab.pipeline()
    pipeline.process(on("a.jpg"))
    error = waiting(lab, "archived").error
    assert error
    assert "rehydrate it" in error.message
    assert (error.attempts, error.retry_at) == (1, lab.clock() + timedelta(hours=1.1))
    hours = run_on(lab, pipeline.process)
    assert hours == pytest.approx([1.1 * (2**number - 1) for number in range(1, 9)])
    record = lab.stored("a.jpg").record
    assert record.error
    assert (record.status, record.error.code) == ("failed", "archived")
    assert record.error.attempts == len(hours) + 1
    assert lab.calls == (0, 0)


@pytest.mark.parametrize("is_asked", [False, True])
def test_a_rehydrated_image_is_captioned(lab: PipelineLab, is_asked: bool) -> None:
    """By the next attempt, or at once where somebody asks."""
    lab.storage.upload("a.jpg", JPEG)
    moved(lab.storage, "a.jpg", StandardBlobTier.ARCHIVE)
    pipeline = lab.pipeline()
    pipeline.process(on("a.jpg"))
    moved(lab.storage, "a.jpg", StandardBlobTier.HOT)
    if is_asked:
        recaption = Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals)
        asked = recaption.request("a.jpg")
        assert asked
        pipeline.process(asked)
    else:
        lab.clock.advance(2 * 3600)
        pipeline.process(lab.due()[0])
    assert lab.stored("a.jpg").record.status == "captioned"


def test_the_services_get_their_own_day_after_the_archive(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    moved(lab.storage, "a.jpg", StandardBlobTier.ARCHIVE)
    pipeline = lab.pipeline()
    pipeline.process(on("a.jpg"))
    for _ in range(6):
        lab.clock.advance(3600 * 24 * 2)
        for message in lab.due():
            pipeline.process(message)
    assert lab.stored("a.jpg").record.created + DAYS < lab.clock()
    moved(lab.storage, "a.jpg", StandardBlobTier.HOT)
    lab.model.faults.append(Reply(500))
    recaption = Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals)
    asked = recaption.request("a.jpg")
    assert asked
    pipeline.process(asked)
    record = waiting(lab, "unavailable")
    assert record.error
    assert (record.error.attempts, record.error.since) == (1, lab.clock())


def test_what_people_wrote_stays_beside_the_error(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    pipeline = lab.pipeline()
    pipeline.process(on("a.jpg"))
    stored = lab.stored("a.jpg")
    lab.storage.catalog.save(edited(stored.record, {"caption": "Anna."}, lab.clock()), stored)
    moved(lab.storage, "a.jpg", StandardBlobTier.ARCHIVE)
    Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals).request("a.jpg")
    for message in lab.due():
        pipeline.process(message)
    assert waiting(lab, "archived").caption == "Anna."
    run_on(lab, pipeline.process)
    record = lab.stored("a.jpg").record
    assert record.error
    assert (record.status, record.caption) == ("captioned", "Anna.")
    assert record.error.code == "archived"


@pytest.mark.parametrize(("status", "code"), [(409, ENCRYPTED), (422, "NewKindOfRefusal")])
def test_an_image_that_the_app_may_not_read_gets_a_record(
    behind: Behind, lab: PipelineLab, status: int, code: str
) -> None:
    """By the listing, as its properties are refused too. Once it can be read it is captioned."""
    blob = behind.storage.upload("a.jpg", JPEG)
    behind.storage.upload("a.jpg/b", JPEG)
    pipeline = lab.pipeline(images=behind.proxied.images)
    with behind.refusing(status, code):
        pipeline.process(on("a.jpg"))
        record = waiting(lab, "unreadable")
        assert record.error
        assert f"{status} {code}" in record.error.message
        assert (record.image.bytes, record.image.etag) == (len(JPEG), blob.etag)
    lab.clock.advance(2 * 3600)
    for message in lab.due():
        pipeline.process(message)
    assert lab.stored("a.jpg").record.status == "captioned"


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AuthorizationFailure"), (409, "ContainerBeingDeleted"), (429, "TooManyRequests")],
)
def test_what_is_about_all_images_is_an_outage(
    behind: Behind, lab: PipelineLab, status: int, code: str
) -> None:
    behind.storage.upload("a.jpg", JPEG)
    assert behind.proxied.images
    with behind.refusing(status, code):
        assert lab.pipeline(images=behind.proxied.images).process(on("a.jpg")) is None
    assert lab.storage.catalog.get("a.jpg") is None


def test_reconcile_leaves_it_to_its_message(behind: Behind, lab: PipelineLab) -> None:
    rounds = ReconcileLab(behind.storage)
    rounds.upload("a.jpg", JPEG)
    lab.clock.time = rounds.now()
    pipeline = lab.pipeline(images=behind.proxied.images)
    with behind.refusing(409, ENCRYPTED):
        pipeline.process(on("a.jpg"))
        waiting(lab, "unreadable")
        for _ in range(12):
            report = rounds.run(images=behind.proxied.images)
            assert (report.queued, report.marked, report.removed) == (0, 0, 0)
            assert (report.blobs, report.records) == (1, 1)
            rounds.pass_time(minutes=5)


def test_the_api_says_what_to_do(lab: PipelineLab) -> None:
    lab.storage.upload("a.jpg", JPEG)
    moved(lab.storage, "a.jpg", StandardBlobTier.ARCHIVE)
    storage = lab.storage
    thumbnails = Thumbnails(storage.images, storage.thumbnails, thumbnail, 1_000_000)
    view = ImageView(
        images=storage.images,
        records=storage.catalog,
        thumbnails=thumbnails,
        read_header=read_header,
        max_image_bytes=1_000_000,
    )
    for query in ("", "?width=160"):
        response = respond(view.get, Request(f"https://app.example/x{query}", "a.jpg", {}))
        problem = json.loads(response.body)
        assert (response.status, problem["code"]) == (409, "archived")
        assert "rehydrate it" in problem["detail"]
    etag = storage.images.describe("a.jpg").etag
    assert thumbnails.of_version("a.jpg", etag, 160) is None
    changes = ImageChanges(
        images=storage.images,
        records=storage.catalog,
        check=partial(check_header, min_side=50),
        erase=lab.storage.erasure(lab.clock).erase,
        forget_record=lab.cleanup.forget_record,
        max_image_bytes=1_000_000,
    )
    assert changes.delete(Request("https://app.example/x", "a.jpg", {})).status == 204


def test_the_log_names_image_and_attempt_and_the_pause_grows(
    lab: PipelineLab, behind: Behind, caplog: pytest.LogCaptureFixture
) -> None:
    assert behind.storage.upload("a.jpg", JPEG)
    assert behind.proxied.images
    pipeline = lab.pipeline(images=behind.proxied.images)
    behind.proxy.refuse(["blob"])
    pipeline.process(on("a.jpg"))
    behind.proxy.refuse([])
    assert f"image {record_id('a.jpg')} is put off after attempt 1" in caplog.text
    assert "a.jpg" not in caplog.text
    [message] = lab.deferrals.held
    assert message.wake.attempts == 1
    assert (message.due - lab.clock()).total_seconds() == 30
    lab.clock.advance(30)
    [again] = lab.due()
    pipeline.process(again)
    assert lab.stored("a.jpg").record.status == "captioned"
    assert not lab.deferrals.held
