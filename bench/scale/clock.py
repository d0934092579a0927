"""Simulated time for code that blocks: SimPy keeps the calendar, each thread is a greenlet.

The app's own gate, wait budget and retries run in it unchanged: `clock`, `sleep` and `wait` replace
`time.monotonic`, `time.sleep` and `Condition.wait`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import simpy
from greenlet import getcurrent, greenlet


class Simulation:
    """One run of the simulation, in simulated time."""

    def __init__(self) -> None:
        self._calendar = simpy.Environment()
        self._hub = getcurrent()
        self._waiting: dict[int, list[simpy.Event]] = {}

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._calendar.now

    def clock(self) -> float:
        """Seconds since the beginning, in place of `time.monotonic`."""
        return self._calendar.now

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Runs an action, which may not block, in `seconds` seconds."""
        event = self._calendar.timeout(seconds)
        event.callbacks.append(lambda _: _done(action()))

    def start(self, work: Callable[[], object], seconds: float = 0.0) -> None:
        """Starts a thread, which may block, in `seconds` seconds."""
        self.at(seconds, greenlet(work, self._hub).switch)

    def sleep(self, seconds: float) -> None:
        """Suspends the current thread; others run meanwhile."""
        self._until(self._calendar.timeout(max(seconds, 0.0)))

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Suspends the current thread until the condition is notified or the seconds are over. The
        lock of the condition is left alone, because there is only one real thread."""
        waiting = self._waiting.get(id(condition))
        if waiting is None:
            waiting = self._waiting[id(condition)] = []
            # notified only by threads of the simulation
            condition.notify_all = lambda: self._notify(waiting)  # type: ignore[method-assign]
        notified = self._calendar.event()
        waiting.append(notified)
        self._until(notified, self._calendar.timeout(seconds))
        if not notified.triggered:
            waiting.remove(notified)

    def run(self) -> None:
        """Runs until no event is left; raises what a thread raised."""
        self._calendar.run()

    def _notify(self, waiting: list[simpy.Event]) -> None:
        for notified in waiting:
            notified.succeed()
        waiting.clear()

    def _until(self, *events: simpy.Event) -> None:
        """Suspends the current thread until the first of the events; the others are ignored."""
        current = getcurrent()
        is_over = False

        def go_on(_: Any) -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                current.switch()

        for event in events:
            event.callbacks.append(go_on)
        self._hub.switch()


def _done(_: object) -> None:
    """Drops a result: SimPy expects none of a callback."""
