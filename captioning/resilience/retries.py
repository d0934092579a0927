"""One run's calls to one service: each in its turn, and retried while the wait budget lasts."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from captioning.domain.usage import Bill
from captioning.errors import DeploymentBroken, ServiceDeferred, ServiceTimeout
from captioning.resilience.calls import FORGETFUL, Memory
from captioning.resilience.gate import Gate

Answer = TypeVar("Answer")

ATTEMPTS = 4
"""Attempts at one request."""
FIRST_PAUSE = 0.5
"""Seconds before the second attempt; twice as long before each further one."""


class WaitBudget:
    """Seconds that a run may lose to all services together, by waiting and in calls that fail.
    Safe to share between threads; `clock` is monotonic, in seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._left = seconds
        self._lock = threading.Lock()
        self.now = clock

    @property
    def left(self) -> float:
        """Seconds; negative when the last failed call took longer than was left."""
        return self._left

    def lost_since(self, begun: float) -> None:
        """Takes off the time since `begun`, a value of `now`."""
        with self._lock:
            self._left -= self.now() - begun

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Takes off the time that this block takes."""
        begun = self.now()
        try:
            yield
        finally:
            self.lost_since(begun)


class RetryingCalls:
    """The Calls of one run to one service; safe to share between threads.

    `before` is called ahead of every request: what it raises ends the run, and does not count as a
    failure of the service.
    """

    def __init__(
        self,
        gate: Gate,
        budget: WaitBudget,
        before: Callable[[], None],
        billed: Callable[[Bill], None],
        *,
        memory: Memory = FORGETFUL,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.memory = memory
        self.billed = billed
        self._gate = gate
        self._budget = budget
        self._before = before
        self._sleep = sleep
        self._uniform = uniform

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """The call's answer.

        Raises what the last attempt raised, the error that closed the gate, or ServiceThrottled
        when other calls are ahead. Its `retry_after` is the longest wait known.
        """
        attempt = 0
        while True:
            attempt += 1
            epoch = self._entered()
            try:
                return self._made(call, epoch)
            except ServiceDeferred as error:
                pause = self._pause(error, attempt)
                if pause is None:
                    raise
            with self._budget.waiting():
                self._sleep(pause)

    def _entered(self) -> int:
        """Waits for the call's turn, and returns its epoch if the run may go on."""
        with self._budget.waiting():
            epoch = self._gate.enter(self._budget.left)
        try:
            self._before()
        except BaseException:
            self._gate.abandon(epoch)
            raise
        return epoch

    def _made(self, call: Callable[[], Answer], epoch: int) -> Answer:
        begun = self._budget.now()
        try:
            answer = call()
        except BaseException as error:
            self._budget.lost_since(begun)
            self._gate.leave(epoch, error)
            raise
        self._gate.leave(epoch)
        return answer

    def _pause(self, error: ServiceDeferred, attempt: int) -> float | None:
        """Seconds to wait before the next attempt. None if this run makes none; then the error's
        `retry_after` is set to the wait."""
        rest = self._gate.rest
        pause = FIRST_PAUSE * 2.0 ** (attempt - 1) * self._uniform(0.5, 1.0)
        # A hang has used up the time already, and no operator fixes anything that fast.
        is_last = attempt == ATTEMPTS or isinstance(error, ServiceTimeout | DeploymentBroken)
        if not is_last and max(pause, rest) <= self._budget.left:
            return pause
        waits = [wait for wait in (error.retry_after, rest or None) if wait is not None]
        error.retry_after = max(waits, default=None)
        return None
