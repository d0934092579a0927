"""A storage queue: messages that are visible, hidden until a time, or expired."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from bench.scale.clock import Simulation


class Image:
    """The state of one image. With slots, because there may be a million of them."""

    __slots__ = ("arrived", "attempts", "deliveries", "is_analysed", "since")

    def __init__(self, arrived: float) -> None:
        self.arrived = arrived
        self.deliveries = self.attempts = 0
        self.is_analysed = False
        self.since: datetime | None = None


class Idle(Protocol):
    """A listener that found the queue empty."""

    def fetch(self) -> None:
        """Looks at the queue again."""


class Queue:
    """A queue of images. A message expires after `life` seconds; `expired` receives its image. An
    idle listener notices a new message after `poll` seconds."""

    def __init__(
        self,
        time: Simulation,
        poll: float,
        life: float = float("inf"),
        expired: Callable[[Image], None] = lambda _: None,
    ) -> None:
        self._time = time
        self._poll = poll
        self._life = life
        self._expired = expired
        self._visible: deque[tuple[float, Image]] = deque()
        self._hidden: list[tuple[float, int, float, Image]] = []
        self._idle: deque[Idle] = deque()
        self._wakes_at = float("inf")
        self._number = 0
        self.deepest = 0
        self.sent = 0

    def __len__(self) -> int:
        return len(self._visible) + len(self._hidden)

    def put(self, image: Image, delay: float = 0.0, sent: float | None = None) -> None:
        """Sends a message, or returns one to the queue that was `sent` at this time."""
        now = self._time.now
        begun = now if sent is None else sent
        if delay > 0:
            self._number += 1
            heapq.heappush(self._hidden, (now + delay, self._number, begun, image))
        else:
            self._visible.append((begun, image))
        self.sent += sent is None
        self.deepest = max(self.deepest, len(self))
        if self._idle:
            self._wake_at(now + delay + self._poll)

    def put_all(self, images: Iterable[Image]) -> None:
        """Sends a message for each image."""
        for image in images:
            self.put(image)

    def take(self, most: int) -> list[tuple[float, Image]]:
        """Takes up to `most` visible messages; each with the time at which it was sent."""
        self._show()
        taken: list[tuple[float, Image]] = []
        while self._visible and len(taken) < most:
            sent, image = self._visible.popleft()
            if self._time.now - sent > self._life:
                self._expired(image)
            else:
                taken.append((sent, image))
        return taken

    def rest(self, listener: Idle) -> None:
        """Has the listener look again when there is a message."""
        self._idle.append(listener)
        if self._visible:
            self._wake_at(self._time.now + self._poll)
        elif self._hidden:
            self._wake_at(self._hidden[0][0] + self._poll)

    def _show(self) -> None:
        now = self._time.now
        while self._hidden and self._hidden[0][0] <= now:
            _, _, sent, image = heapq.heappop(self._hidden)
            self._visible.append((sent, image))

    def _wake_at(self, moment: float) -> None:
        if moment < self._wakes_at:
            self._wakes_at = moment
            self._time.at(max(moment - self._time.now, 0.0), self._wake)

    def _wake(self) -> None:
        if self._time.now < self._wakes_at:
            return  # replaced by an earlier wake-up
        self._wakes_at = float("inf")
        self._show()
        for _ in range(min(len(self._visible), len(self._idle))):
            self._idle.popleft().fetch()
        if self._idle and self._hidden:
            self._wake_at(self._hidden[0][0] + self._poll)
