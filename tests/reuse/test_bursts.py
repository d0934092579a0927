"""Near-identical frames that are uploaded together share what one of them was paid for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from captioning.app.pipeline import bursts
from captioning.app.storage import StorageAccount
from captioning.budget.ledger import Tally
from captioning.config.settings import Settings
from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.domain.usage import NOTHING
from captioning.pipeline.pipeline import CaptionPipeline
from captioning.records.edits import edited
from testing.factories.burst_frames import frame
from testing.factories.records import START
from testing.fakes.faults import Crash, FaultInjector
from testing.harness.pipeline import LEASE, PipelineLab, on
from testing.harness.storage import Storage
from testing.services.chat_replies import filtered_prompt, throttled
from testing.services.vision_scene import Scene

WINDOW = 60.0


class Camera:
    """Uploads frames at times of its own, and has them captioned with bursts on."""

    def __init__(self, lab: PipelineLab) -> None:
        self.lab = lab
        lab.local_vision.scene = lambda _: Scene(text=())
        self._clients = {"analyzer": lab.analyzer(), "captioner": lab.captioner()}
        self.pipeline = self.switched_on()
        self._uploaded: dict[str, float] = {}

    def describe(self, path: str) -> BlobDescription:
        """As if it had been uploaded when the camera says."""
        found = self.lab.storage.images.describe(path)
        return replace(found, modified=START + timedelta(seconds=self._uploaded[path]))

    def read(self, blob: BlobDescription) -> bytes:
        return self.lab.storage.images.read(blob)

    def switched_on(self, **changes: Any) -> CaptionPipeline:
        """A process's pipeline."""
        usual: dict[str, Any] = {"bursts": WINDOW, "images": self, **self._clients}
        return self.lab.pipeline(**(usual | changes))

    def upload(self, path: str, number: int, at: float = 0.0, name: str = "coffee") -> None:
        self._uploaded[path] = at
        self.lab.storage.upload(path, frame(number, name))

    def made(
        self, wake: CaptionMessage | str, pipeline: CaptionPipeline | None = None
    ) -> CaptionRecord:
        """The record that a delivery leaves; time goes on with it."""
        self.lab.clock.advance(0.01)
        wake = on(wake) if isinstance(wake, str) else wake
        record = (pipeline or self.pipeline).process(wake)
        assert record is not None
        return record

    def settled(self, seconds: float = 60.0) -> dict[str, CaptionRecord]:
        """What became of those that waited."""
        self.lab.clock.advance(seconds)
        return {wake.path: self.made(wake) for wake in self.lab.due()}

    @property
    def spent(self) -> Tally:
        """What the ledger holds."""
        return sum(self.lab.usage.held.values(), Tally())


@pytest.fixture
def camera(storage: Storage) -> Iterator[Camera]:
    with ExitStack() as stack:
        yield Camera(PipelineLab(storage, stack))


def code(record: CaptionRecord) -> str | None:
    return record.error.code if record.error else None


def test_a_burst_is_paid_for_once_and_says_so(camera: Camera) -> None:
    for number in range(5):
        camera.upload(f"party/{number}.jpg", number, at=number)
    first, *others = [camera.made(f"party/{number}.jpg") for number in range(5)]
    assert camera.lab.calls == (1, 1)
    assert (first.provenance.reused_from, first.provenance.burst) == (None, False)
    for other in others:
        assert (other.status, other.usage, other.error) == ("captioned", NOTHING, None)
        assert (other.provenance.reused_from, other.provenance.burst) == ("party/0.jpg", True)
        assert (other.caption, other.alt_text, other.tags, other.objects, other.translations) == (
            (first.caption, first.alt_text, first.tags, first.objects, first.translations)
        )
        assert other.image.sha256 != first.image.sha256
    tally = camera.spent
    assert (tally.captioned, tally.reused, tally.bursts) == (5, 4, 4)
    assert first.usage.usd
    assert tally.usd == pytest.approx(first.usage.usd)
    assert tally.bursts_saved_usd == tally.saved_usd == pytest.approx(4 * first.usage.usd)


def test_frames_that_come_while_the_first_is_paid_for_wait_for_it(camera: Camera) -> None:
    for number in range(4):
        camera.upload(f"{number}.jpg", number)
    early: list[CaptionRecord] = []
    camera.lab.vision.once(lambda: early.extend(camera.made(f"{n}.jpg") for n in (3, 1, 2)))
    camera.made("0.jpg")
    assert [(record.status, code(record)) for record in early] == [("deferred", "in_progress")] * 3
    assert all("0.jpg" in record.error.message for record in early if record.error)
    late = camera.settled()
    assert {record.provenance.reused_from for record in late.values()} == {"0.jpg"}
    assert len(late) == 3
    assert camera.lab.calls == (1, 1)


def test_a_clock_that_is_wrong_keeps_nobody_waiting(camera: Camera) -> None:
    """The earlier goes on, so that of two one always does; here both, as neither is the later."""
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
    behind: list[CaptionRecord] = []

    def by_another_clock() -> None:
        camera.lab.clock.advance(-5)
        behind.append(camera.made("1.jpg"))

    camera.lab.vision.once(by_another_clock)
    assert camera.made("0.jpg").status == behind[0].status == "captioned"
    assert camera.lab.calls == (2, 2)


def test_the_order_of_uploads_does_not_matter(camera: Camera) -> None:
    for number in range(3):
        camera.upload(f"{number}.jpg", number, at=number)
    last, first, middle = [camera.made(f"{number}.jpg") for number in (2, 0, 1)]
    assert last.provenance.reused_from is None
    assert first.provenance.reused_from == middle.provenance.reused_from == "2.jpg"


@pytest.mark.parametrize(
    ("path", "at", "paid"),
    [
        ("a/2.jpg", WINDOW, 1),
        ("a/2.jpg", WINDOW + 1, 2),
        ("a/2.jpg", -WINDOW - 1, 2),
        ("2.jpg", 0.0, 2),
        ("a/b/2.jpg", 0.0, 2),
    ],
)
def test_together_is_one_folder_and_a_window(
    camera: Camera, path: str, at: float, paid: int
) -> None:
    camera.upload("a/1.jpg", 1)
    camera.upload(path, 2, at=at)
    camera.made("a/1.jpg")
    assert camera.made(path).provenance.burst == (paid == 1)
    assert camera.lab.calls == (paid, paid)


def test_other_pictures_and_other_settings_are_paid_for(camera: Camera) -> None:
    camera.upload("1.jpg", 1)
    camera.upload("2.jpg", 2, name="rocket")
    camera.upload("3.jpg", 3)
    camera.made("1.jpg")
    assert not camera.made("2.jpg").provenance.burst
    other = camera.switched_on(captioner=camera.lab.captioner(languages=("fr",)))
    assert not camera.made("3.jpg", other).provenance.burst
    assert camera.lab.calls == (3, 3)


def test_turned_off_every_frame_has_its_own(camera: Camera) -> None:
    off = camera.switched_on(bursts=0.0)
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
        assert not camera.made(f"{number}.jpg", off).provenance.burst
    assert camera.lab.calls == (2, 2)


def test_what_bears_text_is_not_shared_nor_waited_for_again(camera: Camera) -> None:
    """Two signs in one picture's hash may say something else."""
    camera.lab.local_vision.scene = lambda _: Scene()
    for number in range(3):
        camera.upload(f"{number}.jpg", number)
    early: list[CaptionRecord] = []
    camera.lab.model.once(lambda: early.append(camera.made("1.jpg")))
    camera.made("0.jpg")
    assert [record.status for record in early] == ["captioned"]
    assert not camera.made("2.jpg").provenance.burst
    assert camera.lab.calls == (3, 3)


@pytest.mark.parametrize("is_left", [False, True])
def test_a_frame_that_was_given_its_answers_does_not_pass_them_on(
    camera: Camera, *, is_left: bool
) -> None:
    """The window counts from the frame that was paid for: a group ends, and does not drift. Nor
    where the frame's row could not be removed."""
    for number in range(3):
        camera.upload(f"{number}.jpg", number, at=40.0 * number)
    injector = FaultInjector()
    pipeline = camera.switched_on(frames=injector.wrap(camera.lab.storage.bursts))
    camera.made("0.jpg", pipeline)
    if is_left:
        injector.fail(4)
    near, late = [camera.made(f"{number}.jpg", pipeline) for number in (1, 2)]
    assert injector.calls[5] == "BurstTable.remove"
    assert near.provenance.burst
    assert not late.provenance.burst
    assert camera.lab.calls == (2, 2)


def test_a_refused_frame_says_nothing_of_the_others(camera: Camera) -> None:
    for number in range(3):
        camera.upload(f"{number}.jpg", number)
    camera.lab.chat_service.script.append(filtered_prompt())
    refused, paid, shared = [camera.made(f"{number}.jpg") for number in range(3)]
    assert (refused.status, paid.status) == ("rejected", "captioned")
    assert paid.provenance.reused_from is None
    assert shared.provenance.reused_from == "1.jpg"
    assert camera.lab.calls == (2, 2)


def test_another_goes_on_where_the_first_has_to_wait(camera: Camera) -> None:
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
    camera.lab.vision.faults.append(throttled())
    assert code(camera.made("0.jpg")) == "throttled"
    assert camera.made("1.jpg", camera.switched_on()).status == "captioned"
    [first] = camera.settled().values()
    assert (first.status, first.provenance.reused_from) == ("captioned", "1.jpg")
    assert camera.lab.calls == (2, 1)


def test_of_those_that_waited_for_a_first_that_fails_one_is_paid_for(camera: Camera) -> None:
    for number in range(7):
        camera.upload(f"{number}.jpg", number)
    early: list[CaptionRecord] = []
    camera.lab.vision.once(lambda: early.extend(camera.made(f"{n}.jpg") for n in range(1, 7)))
    camera.lab.model.faults.append(throttled())
    assert code(camera.made("0.jpg")) == "throttled"
    assert {code(record) for record in early} == {"in_progress"}
    camera.lab.clock.advance(30)
    ended = {wake.path: camera.made(wake) for wake in camera.lab.due() if wake.path != "0.jpg"}
    assert [record.status for record in ended.values()] == ["captioned"] * 6
    assert [record.provenance.burst for record in ended.values()].count(True) == 5
    assert camera.lab.calls == (2, 2)


def test_the_first_goes_on_with_what_it_has_paid_itself(camera: Camera) -> None:
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
    camera.lab.model.faults.append(throttled())
    camera.made("0.jpg")
    camera.made("1.jpg", camera.switched_on())
    [first] = camera.settled().values()
    assert (first.status, first.provenance.burst) == ("captioned", False)
    assert camera.lab.calls == (2, 3)


def test_the_first_is_killed(camera: Camera) -> None:
    """Its claim runs out, another frame is paid for, and the first one's next run shares that."""
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
    injector = FaultInjector()
    frames, kept = injector.wrap(camera.lab.storage.bursts), injector.wrap(camera.lab.storage.reuse)
    injector.crash(4)
    with pytest.raises(Crash):
        camera.made("0.jpg", camera.switched_on(frames=frames, store=kept))
    assert injector.calls == [
        "ReuseTable.put",
        "BurstTable.put",
        "BurstTable.around",
        "ReuseTable.put",
    ]
    paid = camera.lab.calls
    assert code(camera.made("1.jpg")) == "in_progress"
    camera.lab.clock.advance(LEASE.total_seconds())
    second = {wake.path: camera.made(wake) for wake in camera.lab.due()}["1.jpg"]
    assert (second.status, second.provenance.burst) == ("captioned", False)
    first = camera.made("0.jpg")
    assert (first.status, first.provenance.reused_from) == ("captioned", "1.jpg")
    assert camera.lab.calls == (paid[0] + 1, paid[1] + 1)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (4, "BurstTable.put"),
        (8, "BurstTable.remove"),
        (9, "ReuseTable.put"),
        (10, "Catalog.save"),
    ],
)
def test_a_frame_that_shares_is_killed(camera: Camera, call: int, name: str) -> None:
    """Before what it writes: the next run ends it, and nothing is paid."""
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
    camera.made("0.jpg")
    injector = FaultInjector()
    frames, kept = injector.wrap(camera.lab.storage.bursts), injector.wrap(camera.lab.storage.reuse)
    catalog = injector.wrap(camera.lab.storage.catalog)
    injector.crash(call)
    with pytest.raises(Crash):
        camera.made("1.jpg", camera.switched_on(frames=frames, store=kept, catalog=catalog))
    assert injector.calls[-1] == name
    camera.lab.clock.advance(LEASE.total_seconds() + 1)
    record = camera.made("1.jpg")
    assert (record.status, record.provenance.reused_from) == ("captioned", "0.jpg")
    assert record.provenance.burst
    assert record.usage == NOTHING
    assert camera.lab.calls == (1, 1)
    assert camera.spent.bursts == 1


def test_a_claim_of_a_clock_that_was_ahead_is_waited_for_a_lease(camera: Camera) -> None:
    """The clock goes forward during a run, which is killed, and then back."""
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
    lab, injector = camera.lab, FaultInjector()
    lab.vision.once(lambda: lab.clock.advance(3600))
    lab.model.once(injector.crash)
    frames, kept = injector.wrap(lab.storage.bursts), injector.wrap(lab.storage.reuse)
    with pytest.raises(Crash):
        camera.made("0.jpg", camera.switched_on(frames=frames, store=kept))
    lab.clock.advance(-3599)
    began, record = lab.clock(), camera.made("1.jpg")
    while record.status == "deferred":
        assert code(record) == "in_progress"
        held = next(one for one in lab.deferrals.held if one.wake.path == "1.jpg")
        lab.deferrals.held.remove(held)
        lab.clock.time = held.due
        record = camera.made(held.wake)
    assert (record.status, record.provenance.burst) == ("captioned", False)
    assert LEASE <= lab.clock() - began < 2 * LEASE


def test_afresh_pays_for_the_frame_alone(camera: Camera) -> None:
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
        camera.made(f"{number}.jpg")
    again = camera.made(CaptionMessage("1.jpg", afresh="request 1"))
    assert (again.provenance.afresh, again.provenance.reused_from) == ("request 1", None)
    assert not again.provenance.burst
    assert camera.lab.calls == (2, 2)
    assert camera.lab.stored("0.jpg").record.provenance.afresh is None


def test_what_a_person_writes_stays_with_its_frame(camera: Camera) -> None:
    for number in range(3):
        camera.upload(f"{number}.jpg", number)
    first = camera.made("0.jpg")
    catalog = camera.lab.storage.catalog
    catalog.save(edited(first, {"caption": "Ours."}, camera.lab.clock()), catalog.get("0.jpg"))
    shared = camera.made("1.jpg")
    catalog.save(edited(shared, {"caption": "Mine."}, camera.lab.clock()), catalog.get("1.jpg"))
    assert camera.made("2.jpg").caption == shared.caption == first.caption
    again = camera.made(CaptionMessage("1.jpg", afresh="request 1"))
    assert (again.caption, again.provenance.burst) == ("Mine.", False)


def test_a_copy_of_a_frame_costs_nothing_either_and_says_why(camera: Camera) -> None:
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
        camera.made(f"{number}.jpg")
    camera.upload("elsewhere/copy.jpg", 1, at=9_999)
    copy = camera.made("elsewhere/copy.jpg")
    assert (copy.provenance.reused_from, copy.provenance.burst) == ("0.jpg", True)
    assert camera.lab.calls == (1, 1)


def test_a_frame_may_take_the_place_of_another(camera: Camera) -> None:
    camera.upload("latest.jpg", 0)
    camera.made("latest.jpg")
    camera.upload("latest.jpg", 1, at=5)
    record = camera.made("latest.jpg")
    assert (record.provenance.reused_from, record.provenance.burst) == ("latest.jpg", True)
    assert record.image.etag == camera.describe("latest.jpg").etag


def test_a_frame_is_paid_for_where_the_table_fails(camera: Camera) -> None:
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
        injector = FaultInjector()
        injector.fail(1 + number)
        faulty = camera.switched_on(frames=injector.wrap(camera.lab.storage.bursts))
        assert camera.made(f"{number}.jpg", faulty).status == "captioned"
    assert camera.lab.calls == (2, 2)


@pytest.mark.parametrize(
    ("settings", "is_on"),
    [
        ({}, True),
        ({"BURST_SECONDS": "0"}, False),
        ({"VISION_FEATURES": "tags"}, False),
        ({"VISION_PROVIDER": "none", "CAPTION_PROVIDER": "openai"}, False),
    ],
)
def test_they_are_looked_for_where_text_is_read(
    camera: Camera, settings: dict[str, str], is_on: bool
) -> None:
    storage = camera.lab.storage
    usual = {"VISION_PROVIDER": "embedded", "CAPTION_PROVIDER": "embedded"}
    local = {"ImageStorage": storage.connection, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    parsed = Settings.from_environ(usual | local | settings)
    account = StorageAccount(parsed, Mock())
    assert (bursts(parsed, account, storage.reuse, camera.lab.clock) is not None) == is_on
    account.close()


def test_a_budget_does_not_stop_what_costs_nothing(camera: Camera) -> None:
    for number in range(2):
        camera.upload(f"{number}.jpg", number)
    pipeline = camera.switched_on(budget=0.001)
    assert [camera.made(f"{n}.jpg", pipeline).status for n in range(2)] == ["captioned"] * 2
