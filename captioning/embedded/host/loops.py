"""What runs on threads of its own: loops, and among them the timers.

A timer has a six-field NCRONTAB schedule in UTC. There is no schedule monitor: a time that passes
while the host is down is skipped, and `past_due` is always False. If an invocation is still running
at the next time, that time is skipped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, cast

from azure.functions import timer as azure_functions_timer
from croniter import croniter

from captioning.embedded.host.functions import Function, HostStartError, Invoker

logger = logging.getLogger("captioning.embedded.host")

FIELDS = 6


class Loop:
    """A thread that takes one turn after another until it is stopped; a turn returns the seconds
    until the next one, and raises nothing."""

    def __init__(self, turn: Callable[[], float]) -> None:
        self.stopping = threading.Event()
        self._turn = turn
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Begins the next turn at once."""
        self._awake.set()

    def stop_fetching(self) -> None:
        """Begins no further turn, and nothing new in the current one."""
        self.stopping.set()
        self.wake()

    def stop(self, timeout: float) -> bool:
        """Waits up to `timeout` seconds for what is running; whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self.stopping.is_set():
            self._awake.wait(self._turn())
            self._awake.clear()


class Clock(Protocol):
    """The time and waiting for it, which tests replace."""

    def now(self) -> datetime:
        """The time in UTC."""

    def wait_until(self, due: datetime, stopping: threading.Event) -> bool:
        """Waits for the time; returns True at once when `stopping` is set."""


class SystemClock:
    """The machine's clock. It is read at least once a minute, because a laptop may have slept."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def wait_until(self, due: datetime, stopping: threading.Event) -> bool:
        """Waits for the time; returns True at once when `stopping` is set."""
        while (left := (due - self.now()).total_seconds()) > 0:
            if stopping.wait(min(left, 60.0)):
                return True
        return stopping.is_set()


class TimerTrigger(Loop):
    """Runs one function at the times of its schedule. HostStartError if it cannot be read."""

    def __init__(self, function: Function, invoker: Invoker, clock: Clock) -> None:
        super().__init__(self._fire)
        self._function = function
        self._invoker = invoker
        self._clock = clock
        self._due = clock.now()
        self._next()

    def _fire(self) -> float:
        """Waits for the next time, and runs the function."""
        self._due = self._next()
        if not self._clock.wait_until(self._due, self.stopping):
            try:
                request = azure_functions_timer.TimerRequest(past_due=False)
                self._invoker.run(self._function, request)
            except Exception:
                logger.exception("%s raised an exception", self._function.name)
        return 0.0

    def _next(self) -> datetime:
        """The next time of the schedule."""
        schedule = str(self._function.binding["schedule"])
        after = max(self._due, self._clock.now())
        try:
            if len(schedule.split()) != FIELDS:
                raise ValueError("six fields are needed, seconds first")
            times = croniter(schedule, after, datetime, day_or=False, second_at_beginning=True)
            return cast("datetime", times.get_next())
        except ValueError as error:
            name = self._function.name
            raise HostStartError(f"{name}: the schedule '{schedule}': {error}") from None
