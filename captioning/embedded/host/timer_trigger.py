"""Timer-triggered functions: six-field NCRONTAB schedules in UTC.

There is no schedule monitor: a time that passes while the host is down is skipped, and `past_due`
is always False. TimeSpan schedules are not supported. If an invocation is still running at the next
time, that time is skipped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import azure.functions as func
from azure.functions import timer as azure_functions_timer
from croniter import croniter

from captioning.embedded.host.functions import Function, HostStartError

logger = logging.getLogger("captioning.embedded.host")

FIELDS = 6


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


class TimerTrigger:
    """Runs one function at the times of its schedule, on a thread of its own.

    HostStartError if the schedule cannot be read.
    """

    def __init__(
        self, function: Function, run: Callable[[Function, object], object], clock: Clock
    ) -> None:
        function.expects(func.TimerRequest)
        self._function = function
        self._invoke = run
        self._clock = clock
        self._schedule = str(function.binding["schedule"])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        next_time(self._schedule, clock.now(), function.name)

    def start(self) -> None:
        """Starts the thread. With `run_on_startup` the function runs at once."""
        self._thread.start()

    def stop_fetching(self) -> None:
        """Starts no further invocation."""
        self._stopping.set()

    def stop(self, timeout: float) -> None:
        """Waits up to `timeout` seconds for a running invocation."""
        self._thread.join(timeout)

    def _run(self) -> None:
        if self._function.binding.get("runOnStartup"):
            self._fire()
        due = self._clock.now()
        while True:
            due = next_time(self._schedule, max(due, self._clock.now()), self._function.name)
            if self._clock.wait_until(due, self._stopping):
                return
            self._fire()

    def _fire(self) -> None:
        try:
            self._invoke(self._function, azure_functions_timer.TimerRequest(past_due=False))
        except Exception:
            logger.exception("%s raised an exception", self._function.name)


def next_time(schedule: str, after: datetime, function: str) -> datetime:
    """The first time of the schedule after `after`. HostStartError if it cannot be read."""
    try:
        if len(schedule.split()) != FIELDS:
            raise ValueError("six fields are needed, seconds first")
        times = croniter(schedule, after, ret_type=datetime, day_or=False, second_at_beginning=True)
        found: datetime = times.get_next()
    except ValueError as error:
        raise HostStartError(f"{function}: the schedule '{schedule}': {error}") from None
    return found
