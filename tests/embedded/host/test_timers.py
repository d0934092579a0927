"""The embedded host's timers, by a clock the tests set."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest

from captioning.embedded.host.embedded_host import EmbeddedHost
from captioning.embedded.host.functions import HostStartError
from testing.harness.embedded_host import Recorder
from testing.harness.waiting import eventually


@dataclass
class StoppedClock:
    """A clock that is where the test puts it; nobody waits for real."""

    time: datetime
    waited_for: list[datetime] = field(default_factory=list)
    step: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def now(self) -> datetime:
        return self.time

    def wait_until(self, due: datetime, stopping: threading.Event) -> bool:
        self.waited_for.append(due)
        while not self.step.acquire(timeout=0.02):
            if stopping.is_set():
                return True
        self.time = due
        return False


def timer_app(use: Callable[[Any], None], schedule: str) -> Any:
    app = func.FunctionApp()

    @app.function_name("reconcile")
    @app.timer_trigger(arg_name="timer", schedule=schedule)
    def triggered(timer: func.TimerRequest) -> None:
        use(timer)

    return app


def test_fires_at_the_times_of_its_schedule() -> None:
    start = datetime(2026, 11, 22, 10, 2, 3, tzinfo=UTC)
    clock, seen = StoppedClock(start), Recorder()

    def use(timer: func.TimerRequest) -> None:
        seen((clock.now(), timer.past_due))
        raise RuntimeError("the next time still comes")

    settings = {"SCHEDULE": "30 */5 * * * *"}
    with EmbeddedHost(timer_app(use, "%SCHEDULE%"), settings, {}, clock=clock):
        for count in (1, 2, 3):
            clock.step.release()
            eventually(lambda count=count: len(seen.items) == count)  # type: ignore[misc]
    first = datetime(2026, 11, 22, 10, 5, 30, tzinfo=UTC)
    times = [first + timedelta(minutes=5) * step for step in range(3)]
    assert seen.items == [(moment, False) for moment in times]


@pytest.mark.parametrize("schedule", ["*/5 * * * *", "00:05:00", "99 * * * * *", "a b c d e f"])
def test_a_schedule_it_cannot_read_stops_the_start(schedule: str) -> None:
    with pytest.raises(HostStartError, match=r"reconcile.*"):
        EmbeddedHost(timer_app(Recorder(), schedule), {}, {})
