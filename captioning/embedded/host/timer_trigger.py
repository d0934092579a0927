"""Timer-triggered functions: six-field NCRONTAB schedules in UTC.

Left out: the schedule monitor (a time that passed while the host was down is not made up for,
`past_due` is False) and TimeSpan schedules. An invocation that outlasts the next time skips it.
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

logger = logging.getLogger(__name__)

FIELDS = 6


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> datetime:
        """The time in UTC."""

    def wait_until(self, due: datetime, stopping: threading.Event) -> bool:
        """Waits; True where `stopping` was set."""


class SystemClock:
    """The machine's clock; looks at it once a minute, a laptop may have slept."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def wait_until(self, due: datetime, stopping: threading.Event) -> bool:
        """Waits; True where `stopping` was set."""
        while (left := (due - self.now()).total_seconds()) > 0:
            if stopping.wait(min(left, 60.0)):
                return True
        return stopping.is_set()


class TimerTrigger:
    """One function and the thread that waits for its times."""

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
        """Starts to wait; `run_on_startup` fires at once."""
        self._thread.start()

    def stop_fetching(self) -> None:
        """Fires no more."""
        self._stopping.set()

    def stop(self, timeout: float) -> None:
        """Waits for an invocation under way."""
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
    """The schedule's first time after `after`; a schedule this host cannot read is named."""
    try:
        if len(schedule.split()) != FIELDS:
            raise ValueError("six fields are needed, seconds first")
        times = croniter(schedule, after, ret_type=datetime, day_or=False, second_at_beginning=True)
        found: datetime = times.get_next()
    except ValueError as error:
        raise HostStartError(f"{function}: the schedule '{schedule}': {error}") from None
    return found
