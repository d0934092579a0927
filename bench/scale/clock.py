"""Simulated time for code that blocks: SimPy keeps the calendar, each thread is a greenlet.

The app's own gate, patience and calls run in it as they are: `clock`, `sleep` and `wait` go where
`time.monotonic`, `time.sleep` and `Condition.wait` went.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import simpy
from greenlet import getcurrent, greenlet


class Simulation:
    """One run of the model. Nothing in it takes real time but the computing."""

    def __init__(self) -> None:
        self._calendar = simpy.Environment()
        self._hub = getcurrent()
        self._waiting: dict[int, list[simpy.Event]] = {}

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self._calendar.now

    def clock(self) -> float:
        """The same, as a function."""
        return self._calendar.now

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Does something so many seconds from now. It may not block."""
        event = self._calendar.timeout(seconds)
        event.callbacks.append(lambda _: _done(action()))

    def start(self, work: Callable[[], object], seconds: float = 0.0) -> None:
        """Begins a thread, which may block, so many seconds from now."""
        self.at(seconds, greenlet(work, self._hub).switch)

    def sleep(self, seconds: float) -> None:
        """Lets the others go on meanwhile."""
        self._until(self._calendar.timeout(max(seconds, 0.0)))

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Until somebody notifies all, or the time is up. The condition's lock needs no thought:
        there is one real thread."""
        waiting = self._waiting.get(id(condition))
        if waiting is None:
            waiting = self._waiting[id(condition)] = []
            # whoever notifies is a thread of the simulation too
            condition.notify_all = lambda: self._notify(waiting)  # type: ignore[method-assign]
        told = self._calendar.event()
        waiting.append(told)
        self._until(told, self._calendar.timeout(seconds))
        if not told.triggered:
            waiting.remove(told)

    def run(self) -> None:
        """Until nothing is left to happen; raises what a thread raised."""
        self._calendar.run()

    def _notify(self, waiting: list[simpy.Event]) -> None:
        for told in waiting:
            told.succeed()
        waiting.clear()

    def _until(self, *events: simpy.Event) -> None:
        """Whichever comes first; the others are forgotten."""
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
    """What SimPy wants of a callback: no result."""
