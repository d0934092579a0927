"""Event Grid: delivers events to the app's webhook as fast as it accepts them, and redelivers those
that it refuses."""

from __future__ import annotations

from functools import partial

from bench.scale.clock import Simulation
from bench.scale.queues import Image, Queue

DELIVERIES_PER_SECOND = 2_000
"""Messages that one storage queue accepts: each event becomes one on the host's queue."""
AGAIN_AFTER = (10.0, 30.0, 60.0, 300.0, 600.0, 1_800.0, 3_600.0)
"""Seconds between attempts; the last applies to all further ones."""
ATTEMPTS, LIFE = 30, 86_400.0
"""The retry policy of infra/events.bicep; the life is in seconds."""
TICK = 0.1


class EventGrid:
    """Delivers to the host's queue. `dead` are images whose events ended as dead letters."""

    def __init__(self, time: Simulation, queue: Queue) -> None:
        self._time = time
        self._queue = queue
        self._room, self._tick = 0, -1
        self.redelivered = 0
        self.dead: list[Image] = []

    def publish(self, images: list[Image]) -> None:
        """Publishes the events of uploaded images."""
        self._deliver(images, 0, self._time.now)

    def _deliver(self, images: list[Image], attempt: int, begun: float) -> None:
        tick = int(self._time.now / TICK)
        if tick != self._tick:
            self._tick, self._room = tick, int(DELIVERIES_PER_SECOND * TICK)
        taken, left = images[: self._room], images[self._room :]
        self._room -= len(taken)
        self._queue.put_all(taken)
        if not left:
            return
        pause = AGAIN_AFTER[min(attempt, len(AGAIN_AFTER) - 1)]
        if attempt + 1 >= ATTEMPTS or self._time.now + pause - begun > LIFE:
            self.dead += left
            return
        self.redelivered += len(left)
        # spread over the length of a pause, as Event Grid adds jitter
        parts = min(int(pause / TICK), len(left))
        size = -(-len(left) // parts)
        for number in range(0, len(left), size):
            later = pause + number // size * TICK
            chunk = left[number : number + size]
            self._time.at(later, partial(self._deliver, chunk, attempt + 1, begun))
