"""Whether blob events arrive: what health says of it, over hours of a simulated app."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.errors import StorageUnavailable
from captioning.maintenance.subscription import LATE, Missing, Subscription
from captioning.resilience.blob_events import BlobEvents
from testing.fakes.stores import MemoryState
from testing.simulation.world import Process, Store

TICK = timedelta(minutes=5)
DOG = b"dog"


class CountingState(MemoryState):
    """Counts requests."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.is_down = False

    def __getattribute__(self, name: str) -> Any:
        if name in {"get", "all", "put", "delete", "version"} and self.is_down:
            raise StorageUnavailable("away")
        return super().__getattribute__(name)

    def put(self, kind: str, name: str, document: Any) -> None:
        self.asked["put"] += 1
        super().put(kind, name, document)

    def delete(self, kind: str, name: str) -> None:
        self.asked["delete"] += 1
        super().delete(kind, name)


class World:
    """An app with a subscription, a queue of events and a timer. `is_sent` says whether the
    subscription sends the event of a path; so many events and messages are worked on a tick."""

    def __init__(self) -> None:
        self.store = Store(None, "image+tags")
        self.store.state = self.state = CountingState()
        self.now = self.store.now
        self.is_sent: Callable[[str], bool] = lambda _: True
        self.events_a_tick = self.messages_a_tick = 1_000_000
        self.delay = timedelta()
        self.waiting: list[tuple[datetime, str]] = []
        self.lost_by_grid = 0
        self.health: list[Missing | None] = []
        self.start()

    def start(self) -> None:
        """A new process."""
        self.process = Process(self.store, f"worker{len(self.health)}")
        events = BlobEvents(self.state, self.now)
        self.subscription = Subscription(events, self.process.catalog, self.state, self.now)
        self.process.pipeline._events = events
        self.process.reconciler._subscription = self.subscription
        self.process.reconciler._page = 500

    def upload(self, path: str, data: bytes = DOG) -> None:
        self.store.images.upload(path, data)
        if self.is_sent(path):
            self.waiting.append((self.now() + self.delay, path))

    def work(self) -> None:
        """What the host does in a tick."""
        due = [event for event in self.waiting if event[0] <= self.now()][: self.events_a_tick]
        for event in due:
            self.waiting.remove(event)
            self.process.pipeline.process(CaptionMessage(event[1], source="event"))
        for message in self.store.deferrals.due()[: self.messages_a_tick]:
            self.store.deferrals.held.remove(message)
            self.process.pipeline.process(CaptionMessage.from_json(message.wake.to_json()))

    def tick(self, uploads: int = 0, suffix: str = ".jpg", *, is_up: bool = True) -> None:
        """Five minutes: uploads, the host's work, a run of reconcile, a look at health."""
        for number in range(uploads):
            self.upload(f"{self.now():%d-%H%M}-{number}{suffix}")
            self.now.advance(1)
        if is_up:
            self.work()
        self.now.advance(TICK.total_seconds() - uploads)
        if is_up:
            self.process.reconciler.run()
            self.health.append(self.subscription.missing())

    def run(self, hours: float, uploads: int = 0, **how: Any) -> list[Missing | None]:
        """Ticks; what health said after each."""
        before = len(self.health)
        for _ in range(round(hours * 12)):
            self.tick(uploads, **how)
        return self.health[before:]

    def marks(self) -> int:
        return len(BlobEvents(self.state, self.now).marks())


@pytest.fixture
def world() -> World:
    """An app that has been up for two hours."""
    made = World()
    made.run(2)
    return made


def test_events_that_arrive_are_ok_and_cost_a_write_a_minute(world: World) -> None:
    world.state.asked.clear()
    assert set(world.run(3, uploads=40)) == {None}
    ticks, images = 36, 36 * 40
    # A note of the latest event, and what reconcile keeps: a position of each walk, and this.
    assert sum(world.state.asked.values()) <= ticks * 5 < images
    assert world.state.asked["delete"] == 0
    assert world.marks() == 0


def test_a_subscription_that_sends_nothing_is_seen(world: World) -> None:
    world.run(1, uploads=1)
    world.is_sent = lambda _: False
    broken = world.now()
    said = world.run(1, uploads=2)
    assert said[:5] == [None] * 5
    first = next(each for each in said if each)
    assert said.index(first) <= 8  # within 45 minutes
    assert broken <= first.since <= broken + timedelta(minutes=5)
    last = world.run(6, uploads=2)
    assert all(last)
    assert last[-1] == Missing(first.since, 100, 100)


def test_a_subscription_that_was_never_made_is_seen() -> None:
    world = World()
    world.is_sent = lambda _: False
    assert not any(world.run(1, uploads=1))  # the subscription follows the deployment
    assert world.run(2, uploads=1)[-1]


def test_one_image_that_nothing_came_for_is_enough(world: World) -> None:
    world.is_sent = lambda _: False
    world.upload("a.jpg")
    since = world.store.images.describe("a.jpg").modified
    assert world.run(1)[-1] == Missing(since, 1, 1)
    world.run(24)
    assert world.subscription.missing() == Missing(since, 1, 1)


def test_a_filter_that_loses_some_images_is_seen(world: World) -> None:
    world.is_sent = lambda path: not path.endswith(".png")
    said: list[Missing | None] = []
    for number in range(60):
        world.tick(2)
        said += world.run(1 / 12, uploads=number % 2, suffix=".png")
    assert any(said)
    last = next(each for each in reversed(said) if each)
    assert 10 <= last.images <= 30
    assert last.of == 100


def test_a_mended_subscription_is_ok_after_ten_images(world: World) -> None:
    world.is_sent = lambda _: False
    assert world.run(2, uploads=3)[-1]
    world.is_sent = lambda _: True
    mended = world.run(1, uploads=3)
    assert mended[0]
    assert mended[-1] is None


def test_a_burst_whose_events_wait_for_hours_is_no_alarm(world: World) -> None:
    """Reconcile's messages overtake events that wait in the host's queue."""
    world.events_a_tick = 20
    said = world.run(1 / 12, uploads=299)
    said += world.run(3)
    assert world.waiting == []
    assert set(said) == {None}
    assert world.marks() == 0


def test_a_stream_with_events_hours_behind_is_no_alarm(world: World) -> None:
    world.events_a_tick = 8
    assert set(world.run(5, uploads=10) + world.run(3)) == {None}
    assert world.marks() == 0


def test_uploads_while_the_app_was_down_are_no_alarm(world: World) -> None:
    world.run(1, uploads=2)
    world.is_sent = lambda path: hash(path) % 2 == 0  # what Event Grid has given up
    world.run(30, uploads=1, is_up=False)
    world.is_sent = lambda _: True
    world.start()
    assert set(world.run(8, uploads=2)) == {None}


def test_events_held_back_after_the_app_was_down_are_no_alarm(world: World) -> None:
    world.run(2, is_up=False)
    world.start()
    world.delay = timedelta(minutes=50)
    assert set(world.run(1, uploads=2)) == {None}
    world.delay = timedelta()
    assert set(world.run(3, uploads=1)) == {None}


def test_images_from_before_the_app_are_no_alarm() -> None:
    world = World()
    world.is_sent = lambda _: False
    for number in range(300):
        world.upload(f"old/{number}.jpg")
    world.now.advance(86_400)
    world.is_sent = lambda _: True
    assert set(world.run(3)) == {None}
    assert world.marks() == 0


def test_an_event_that_is_twenty_minutes_late_is_no_alarm(world: World) -> None:
    world.delay = timedelta(minutes=20)
    assert set(world.run(3, uploads=1)) == {None}
    assert world.marks() <= 6


def test_changed_metadata_has_no_event_and_is_no_alarm(world: World) -> None:
    """It gives the blob another ETag and time, and reconcile looks at it."""
    world.run(1, uploads=3)
    for path, (blob, data) in list(world.store.images.held.items()):
        changed = replace(blob, etag=f'{blob.etag[:-1]}F"', modified=world.now())
        world.store.images.held[path] = (changed, data)
    assert set(world.run(3)) == {None}
    assert world.marks() == 0


def test_requests_to_caption_again_are_no_alarm(world: World) -> None:
    world.run(1, uploads=3)
    for path in world.store.images.held:
        world.store.deferrals.put(CaptionMessage(path, afresh="1"), 0)
    assert set(world.run(2)) == {None}


def test_deleted_images_are_not_counted(world: World) -> None:
    world.is_sent = lambda _: False
    world.upload("a.jpg")
    assert world.run(1)[-1]
    world.store.images.delete("a.jpg")
    world.process.forget("a.jpg")
    assert world.run(1)[-1] is None
    assert world.marks() == 0


def test_storage_that_fails_is_no_alarm(world: World) -> None:
    """The events' runs fail, their images come back by messages, or by reconcile's before."""
    world.run(1, uploads=2)
    for number in range(5):
        world.upload(f"late{number}.jpg")
        # As an event whose run failed on storage, and whose message returns an hour later.
        world.waiting.clear()
        late = CaptionMessage(f"late{number}.jpg", source="event", attempts=1)
        world.store.deferrals.put(late, 3_600)
    said = world.run(3, uploads=1)
    assert said[-1] is None
    assert world.marks() == 0


def test_an_event_between_reconcile_s_claim_and_its_mark_clears_it(world: World) -> None:
    """The event's run finds the claim and comes back when that ends, still as an event."""
    world.store.images.upload("a.jpg", DOG)
    events = world.process.pipeline._events
    assert events
    marked = events.claimed

    def late(*arguments: Any, **named: Any) -> None:
        other = Process(world.store, "other")
        other.pipeline._events = BlobEvents(world.state, world.now)
        other.pipeline.process(CaptionMessage("a.jpg", source="event"))
        marked(*arguments, **named)

    events.claimed = late  # type: ignore[method-assign]
    world.process.pipeline.process(CaptionMessage("a.jpg", source="reconcile"))
    events.claimed = marked  # type: ignore[method-assign]
    assert world.marks() == 1
    assert set(world.run(2)) == {None}
    assert world.marks() == 0


def test_notes_that_storage_refuses_do_not_stop_an_image(world: World) -> None:
    world.state.is_down = True
    world.upload("a.jpg")
    world.work()
    world.store.images.upload("b.jpg", DOG)
    world.process.pipeline.process(CaptionMessage("b.jpg", source="reconcile"))
    for path in ("a.jpg", "b.jpg"):
        stored = world.process.catalog.get(path)
        assert stored
        assert stored.record.status == "captioned"


def test_a_late_image_counts_only_when_its_event_would_have_come(world: World) -> None:
    world.is_sent = lambda _: False
    world.upload("a.jpg")
    uploaded = world.now()
    while world.subscription.missing() is None:
        world.tick()
    assert LATE <= world.now() - uploaded <= LATE + 2 * TICK
