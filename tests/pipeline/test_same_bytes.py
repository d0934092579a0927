"""A change that leaves the bytes of an image as they were is no new image: nothing happens to its
record, nothing is paid, nobody is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.images.picture import thumbnail
from captioning.images.thumbnails import Thumbnails
from captioning.maintenance.recaption import Recaption
from captioning.records.edits import edited
from captioning.records.history import reverted
from captioning.webhook.outbox import OutboxCatalog
from testing.factories import pictures
from testing.fakes.faults import Crash, FaultInjector
from testing.fakes.stores import MemoryNotices
from testing.harness.maintenance import ReconcileLab
from testing.harness.pipeline import LEASE, PipelineLab, on
from testing.services.chat_replies import completion, filtered_output, throttled

JPEG, OTHER = pictures.oriented(1), pictures.oriented(6)
NO_ANSWER = completion("{}")
OLD, NEW = ("en", "de"), ("en", "fr")
"""Languages of the captions: settings that differ have fingerprints that do."""
CHANGES: dict[str, Callable[[PipelineLab], BlobDescription]] = {
    "metadata": lambda lab: lab.storage.touch("a.jpg", rating="5"),
    "headers": lambda lab: lab.storage.touch("a.jpg"),
    "the same bytes": lambda lab: lab.storage.upload("a.jpg", JPEG),
}


class App:
    """An app with a webhook, whose settings can be changed."""

    def __init__(self, lab: PipelineLab) -> None:
        self.lab, self.notices = lab, MemoryNotices(lab.clock)
        self.catalog = lab.storage.catalog
        self._outbox = OutboxCatalog(self.catalog, self.notices, lab.clock)

    def run(self, wake: CaptionMessage | None = None, languages: Any = OLD) -> CaptionRecord:
        """The record after a delivery."""
        captioner = self.lab.captioner(languages=languages)
        pipeline = self.lab.pipeline(captioner=captioner, catalog=self._outbox, quiet=self.catalog)
        pipeline.process(wake or on("a.jpg"))
        return self.lab.stored("a.jpg").record

    def edit(self, change: Callable[[CaptionRecord], CaptionRecord]) -> CaptionRecord:
        stored = self.lab.stored("a.jpg")
        return self.catalog.save(change(stored.record), stored).record


@pytest.fixture
def app(lab: PipelineLab) -> App:
    """With an image, which waits for its event."""
    lab.storage.upload("a.jpg", JPEG)
    return App(lab)


def same(record: CaptionRecord, blob: BlobDescription) -> CaptionRecord:
    return replace(record, image=replace(record.image, etag=blob.etag))


@pytest.mark.parametrize("languages", [OLD, NEW], ids=["as before", "other settings"])
@pytest.mark.parametrize("change", CHANGES)
def test_only_the_etag_is_taken_over(
    lab: PipelineLab, app: App, change: str, languages: tuple[str, ...]
) -> None:
    """Whatever the settings are by then; what was reverted can still be gone back to."""
    app.run()
    app.edit(lambda record: edited(record, {"caption": "Written by Anna."}, lab.clock()))
    known = app.edit(lambda record: reverted(record, lab.clock()))
    lab.storage.upload("b.jpg", OTHER)
    lab.pipeline().process(on("b.jpg"))
    order = [record.path for record in lab.storage.catalog.walk()]
    calls, told, tallies = lab.calls, list(app.notices.held), dict(lab.usage.held)
    lab.clock.advance(3600)
    blob = CHANGES[change](lab)
    assert blob.etag != known.image.etag
    for _ in range(2):
        record = app.run(languages=languages)
        assert record == same(known, blob)
    assert record.previous
    assert record.previous.texts["caption"] == "Written by Anna."
    assert (lab.calls, app.notices.held, dict(lab.usage.held)) == (calls, told, tallies)
    assert [record.path for record in lab.storage.catalog.walk()] == order
    assert lab.deferrals.held == []


def test_a_model_that_refuses_the_picture_by_now_takes_no_caption(
    lab: PipelineLab, app: App
) -> None:
    known = app.run()
    lab.chat_service.script.append(filtered_output())
    lab.storage.upload("copy.jpg", JPEG)
    captioner = lab.captioner(languages=NEW)
    refused = lab.pipeline(captioner=captioner).process(on("copy.jpg"))
    assert refused
    assert refused.status == "rejected"
    blob = lab.storage.touch("a.jpg", rating="5")
    assert app.run(languages=NEW) == same(known, blob)


@pytest.mark.parametrize("status", ["rejected", "failed"])
def test_what_has_no_caption_stays_as_well(lab: PipelineLab, app: App, status: str) -> None:
    """Until somebody asks for one."""
    data = JPEG
    if status == "rejected":
        data = b"no image"
        lab.storage.upload("a.jpg", data)
    else:
        lab.model.faults.extend([NO_ANSWER, NO_ANSWER])
    known = app.run()
    assert known.status == status
    calls, told = lab.calls, list(app.notices.held)
    blob = lab.storage.touch("a.jpg")
    assert app.run() == same(known, blob)
    blob = lab.storage.upload("a.jpg", data)
    assert app.run() == same(known, blob)
    assert (lab.calls, app.notices.held) == (calls, told)


def test_other_bytes_of_the_same_size_are_a_new_image_and_read_once(
    lab: PipelineLab, app: App
) -> None:
    app.run()
    other = pictures.oriented(3)
    lab.storage.upload("a.jpg", other.ljust(len(JPEG), b"\0"))
    lab.storage.upload("a.jpg", JPEG[:-4] + b"\0\0\xff\xd9")
    injector = FaultInjector()
    lab.pipeline(images=injector.wrap(lab.storage.images)).process(on("a.jpg"))
    record = lab.stored("a.jpg").record
    assert record.image.bytes == len(JPEG)
    assert (record.status, lab.calls) == ("captioned", (2, 2))
    assert [call.partition(".")[2] for call in injector.calls] == ["describe", "read"]


def test_a_request_goes_on_as_before(lab: PipelineLab, app: App) -> None:
    known = app.run()
    blob = lab.storage.touch("a.jpg", rating="5")
    Recaption(lab.storage.images, lab.storage.catalog, lab.deferrals).request("a.jpg")
    [wake] = lab.due()
    record = app.run(wake)
    assert (record.provenance.afresh, record.image.etag) == (wake.afresh, blob.etag)
    assert record.image.modified == known.image.modified
    assert lab.calls == (2, 2)


def test_an_image_that_waits_goes_on_with_its_own_message(lab: PipelineLab, app: App) -> None:
    lab.model.faults.append(throttled(retry_after="60"))
    known = app.run()
    assert known.status == "deferred"
    lab.clock.advance(1)
    blob = lab.storage.touch("a.jpg", rating="5")
    assert app.run() == same(known, blob)
    lab.clock.advance(90)
    record = app.run(lab.due()[0])
    assert (record.status, record.provenance.reused_from) == ("captioned", None)
    assert lab.calls == (1, 2)


def test_a_run_that_is_under_way_saves_what_it_makes(lab: PipelineLab, app: App) -> None:
    app.run()
    seen: list[CaptionRecord] = []

    def touched() -> None:
        lab.storage.touch("a.jpg", rating="5")
        seen.append(app.run())

    lab.model.once(touched)
    record = app.run(CaptionMessage("a.jpg", afresh="1"))
    assert [each.status for each in seen] == ["processing"]
    assert (record.status, record.claim, record.provenance.afresh) == ("captioned", None, "1")
    assert record.image.etag == lab.storage.images.describe("a.jpg").etag
    lab.clock.advance(LEASE.total_seconds() + 1)
    assert app.run(*lab.due()) == record
    assert lab.calls == (2, 2)


def test_a_run_that_was_killed_is_taken_over(lab: PipelineLab, app: App) -> None:
    app.run()
    injector = FaultInjector()
    lab.model.once(injector.crash)
    with pytest.raises(Crash):
        lab.pipeline(
            catalog=injector.wrap(lab.storage.catalog), store=injector.wrap(lab.storage.reuse)
        ).process(CaptionMessage("a.jpg", afresh="1"))
    lab.storage.touch("a.jpg", rating="5")
    assert app.run().status == "processing"
    lab.clock.advance(LEASE.total_seconds() + 1)
    assert app.run(*lab.due()).status == "captioned"


def test_an_event_that_the_host_gives_up_takes_no_caption(lab: PipelineLab, app: App) -> None:
    known = app.run()
    lab.storage.touch("a.jpg", rating="5")
    assert lab.cleanup.poisoned("a.jpg") is None
    assert lab.stored("a.jpg").record == known


def test_reconcile_finds_it_once(lab: PipelineLab, app: App) -> None:
    """In Azure there is no event for it."""
    known = app.run()
    blob = lab.storage.touch("a.jpg", rating="5")
    rounds = ReconcileLab(lab.storage)
    rounds.pass_time(hours=1)
    assert rounds.run().queued == 1
    [(wake, _)] = rounds.messages.put_by
    assert app.run(wake) == same(known, blob)
    assert rounds.run().queued == 0


def test_its_thumbnails_are_made_again(lab: PipelineLab, app: App) -> None:
    app.run()
    storage = lab.storage
    thumbnails = Thumbnails(storage.images, storage.thumbnails, thumbnail, 10**8)
    before = thumbnails.get(storage.images.describe("a.jpg"), 160)
    blob = storage.touch("a.jpg", rating="5")
    app.run()
    assert thumbnails.get(blob, 160) == before
    assert len(storage.kept_thumbnails()) == 1
