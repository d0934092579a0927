"""Threads in virtual time: one runs at a time, and the clock moves on when all of them wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_STEPS = 200_000


@dataclass(eq=False)
class _Thread:
    work: Callable[[], None]
    due: float = 0.0
    turn: int = 0
    condition: threading.Condition | None = None
    is_over: bool = False
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


class Simulation:
    """`clock`, `sleep` and `wait` replace `time.monotonic`, `time.sleep` and `Condition.wait`.
    Threads that are due at the same time run in the order in which they began to wait."""

    def __init__(self) -> None:
        self.now = 0.0
        self._threads: list[_Thread] = []
        self._current: _Thread | None = None
        self._turns = 0
        self._back = threading.Semaphore(0)
        self._failures: list[BaseException] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self._suspend(seconds, None)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Waits until the condition is notified or the seconds are over."""
        # notified only by threads of the simulation
        condition.notify_all = lambda: self._notify(condition)  # type: ignore[method-assign]
        condition.release()
        self._suspend(seconds, condition)
        condition.acquire()

    def run(self, *works: Callable[[], None]) -> None:
        """Runs each function on a thread of its own until all have returned; raises what one
        raised."""
        self._threads = [_Thread(work, self.now) for work in works]
        for thread in self._threads:
            threading.Thread(target=self._serve, args=(thread,), daemon=True).start()
        for _ in range(MAX_STEPS):
            alive = [thread for thread in self._threads if not thread.is_over]
            if not alive or self._failures:
                break
            self._step(min(alive, key=lambda thread: (thread.due, thread.turn)))
        else:
            raise AssertionError("the threads never end")
        if self._failures:
            raise self._failures[0]

    def _step(self, thread: _Thread) -> None:
        self.now = max(self.now, thread.due)
        thread.condition = None
        self._current = thread
        thread.go.release()
        self._back.acquire()

    def _serve(self, thread: _Thread) -> None:
        thread.go.acquire()
        try:
            thread.work()
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._failures.append(error)
        thread.is_over = True
        self._back.release()

    def _suspend(self, seconds: float, condition: threading.Condition | None) -> None:
        thread = self._current
        assert thread
        self._turns += 1
        thread.turn, thread.due, thread.condition = self._turns, self.now + seconds, condition
        self._back.release()
        thread.go.acquire()

    def _notify(self, condition: threading.Condition) -> None:
        for thread in self._threads:
            if thread.condition is condition:
                thread.due = self.now
