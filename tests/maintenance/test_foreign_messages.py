"""Other apps' messages on the shared poison queue: left to them, without noise."""

from __future__ import annotations

import json
import logging
import random
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient

from captioning.maintenance.foreign_messages import LIFE, ForeignMessages
from captioning.storage.queues import POISON, PoisonQueue, connect_poison
from captioning.triggers import poisoned_path
from testing.fakes.stores import MemoryState
from testing.harness.functions import poison_event
from testing.harness.storage import Storage

START = datetime(2026, 11, 22, tzinfo=UTC)
DAY = timedelta(days=1)
INVISIBLE = timedelta(minutes=10)
"""For how long a message stays hidden whose function raised, or whose host died."""


@dataclass
class Held:
    body: bytes
    seen: datetime
    ends: datetime


class SharedQueue:
    """The queue under a clock that is set by hand."""

    def __init__(self) -> None:
        self.time = START
        self.held: list[Held] = []

    def now(self) -> datetime:
        return self.time

    def put_back(self, body: bytes, hidden: timedelta, lives: timedelta | None) -> None:
        assert lives is not None
        assert timedelta() <= hidden < lives
        self.held.append(Held(body, self.time + hidden, self.time + lives))

    def poison(self, container: str, path: str) -> None:
        """What the host does with an event that it gives up."""
        body = json.dumps(poison_event(container, path)).encode()
        self.held.append(Held(body, self.time, self.time + LIFE))


class App:
    """An app of this account: what it recorded, and how often it was called in vain."""

    def __init__(self, container: str, queue: SharedQueue) -> None:
        self.container = container
        self.own: dict[str, datetime] = {}
        self.vain: Counter[bytes] = Counter()
        self.foreign = ForeignMessages(queue, MemoryState(), queue.now)
        self.queue = queue

    def record_poisoned(self, held: Held) -> None:
        path = poisoned_path(held.body, self.container)
        if path is None:
            self.vain[held.body] += 1
            self.foreign.leave(held.body, held.ends)
        else:
            self.own[path] = self.queue.time


def lives(queue: SharedQueue, apps: list[App], until: datetime, *, crashes: float = 0.0) -> None:
    """Runs the hosts, which take messages by chance, until a time. Some die before they delete."""
    chance = random.Random(7)
    while queue.time < until:
        queue.held = [held for held in queue.held if held.ends > queue.time]
        due = [held for held in queue.held if held.seen <= queue.time]
        for held in due:
            chance.choice(apps).record_poisoned(held)
            if chance.random() < crashes:
                held.seen = queue.time + INVISIBLE
            else:
                queue.held.remove(held)
        upcoming = min([until, *(held.seen for held in queue.held)])
        queue.time = max(queue.time + timedelta(seconds=1), upcoming)
    queue.held = [held for held in queue.held if held.ends > queue.time]


def test_each_app_gets_its_own_and_others_cost_a_line_a_day(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = SharedQueue()
    ours, theirs = App("images", queue), App("photos", queue)
    for number in range(40):
        queue.poison("images", f"{number}.jpg")
        queue.poison("photos", f"{number}.jpg")
        queue.poison("nobody's", f"{number}.jpg")
    lines: list[int] = []
    for day in range(1, 9):
        caplog.clear()
        lives(queue, [ours, theirs], START + day * DAY)
        assert {record.levelno for record in caplog.records} <= {logging.WARNING}
        lines.append(len(caplog.records))
    for app in (ours, theirs):
        assert set(app.own) == {f"{number}.jpg" for number in range(40)}
        waited = sorted(when - START for when in app.own.values())
        assert waited[20] <= timedelta(minutes=2)
        assert waited[-1] < DAY
    assert max(lines) == 2  # one of each app
    assert max((ours.vain + theirs.vain).values()) <= 40  # and no 1,008 attempts in seven days
    assert queue.held == []


def test_a_crash_before_the_message_is_deleted_leaves_a_copy_and_not_none() -> None:
    queue = SharedQueue()
    apps = [App("photos", queue), App("images", queue)]
    for number in range(20):
        queue.poison("images", f"{number}.jpg")
        queue.poison("nobody's", f"{number}.jpg")
    lives(queue, apps, START + DAY, crashes=0.2)
    assert len(apps[1].own) == 20
    lives(queue, apps, START + LIFE)
    assert queue.held == []


def test_own_ones_are_found_among_a_thousand_of_others() -> None:
    queue = SharedQueue()
    ours = App("images", queue)
    for number in range(1_000):
        queue.poison("photos", f"{number}.jpg")
    queue.poison("images", "own.jpg")
    lives(queue, [ours], START + timedelta(minutes=1))
    assert ours.own == {"own.jpg": START}


@pytest.mark.parametrize("end", [None, datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_message_without_an_end_that_is_known_is_kept(end: datetime | None) -> None:
    put: list[tuple[timedelta, timedelta | None]] = []

    class Noting:
        def put_back(self, body: bytes, hidden: timedelta, lives: timedelta | None) -> None:
            put.append((hidden, lives))

    ForeignMessages(Noting(), MemoryState(), lambda: START).leave(b"{}", end)
    assert put == ([(timedelta(minutes=1), LIFE)] if end is None else [(DAY, None)])


@pytest.fixture
def poison(storage: Storage) -> Iterator[tuple[PoisonQueue, QueueClient]]:
    """The real queue, as the app reaches it and as it is."""
    with ExitStack() as stack:
        raw = stack.enter_context(QueueClient.from_connection_string(storage.connection, POISON))
        try:
            raw.create_queue()
        except ResourceExistsError:
            raw.clear_messages()
        queue = connect_poison(connection_string=storage.connection)
        stack.callback(queue.close)
        yield queue, raw


@pytest.mark.parametrize(
    "body", [b"", b"\xff\x80\x00", '{\r\n  "BlobName": "é 写.jpg"\r\n}'.encode()]
)
def test_the_text_stays_as_it_is_and_so_does_its_end(
    body: bytes, poison: tuple[PoisonQueue, QueueClient], storage: Storage
) -> None:
    queue, raw = poison
    ends = datetime.now(UTC) + timedelta(days=2)
    foreign = ForeignMessages(queue, storage.state, lambda: datetime.now(UTC))
    foreign.leave(body, ends)
    assert raw.receive_message() is None  # it is hidden
    assert raw.get_queue_properties().approximate_message_count == 1
    queue.put_back(body, timedelta(), timedelta(seconds=90))
    found = raw.receive_message()
    assert found is not None
    assert (found.content, b64decode(found.content)) == (b64encode(body).decode(), body)
    assert found.expires_on
    assert found.inserted_on
    assert found.expires_on - found.inserted_on == timedelta(seconds=90)
