"""What one run asks of one service: in its turn, and again while its patience lasts."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from captioning.domain.usage import Bill
from captioning.errors import DeploymentBroken, ServiceDeferred, ServiceTimeout
from captioning.resilience.calls import Forgetful, Memory
from captioning.resilience.gate import Gate

Answer = TypeVar("Answer")

ATTEMPTS = 4
"""At one exchange."""
FORGETFUL = Forgetful()
FIRST_PAUSE = 0.5
"""Seconds before the second attempt; twice as long before each further one."""


class WaitBudget:
    """How many seconds a run may lose, to all services together: waiting, and in calls that fail.
    Safe to share between threads; `clock` is monotonic, in seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._left = seconds
        self._lock = threading.Lock()
        self.now = clock

    @property
    def left(self) -> float:
        """Seconds; negative when the last call that failed took longer than there was."""
        return self._left

    def lost_since(self, begun: float) -> None:
        """Takes off the time since `begun`, a value of `now`."""
        with self._lock:
            self._left -= self.now() - begun

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The time in this block is lost."""
        begun = self.now()
        try:
            yield
        finally:
            self.lost_since(begun)


class RetryingCalls:
    """The Calls of one run to one service; safe to share between threads.

    `before` goes ahead of every call: what it raises ends the run, and is not the service's doing.
    """

    def __init__(
        self,
        gate: Gate,
        patience: WaitBudget,
        before: Callable[[], None],
        billed: Callable[[Bill], None],
        *,
        memory: Memory = FORGETFUL,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.known, self.remember = memory.known, memory.remember
        self._gate = gate
        self._patience = patience
        self._before = before
        self._billed = billed
        self._sleep = sleep
        self._uniform = uniform

    def billed(self, bill: Bill) -> None:
        """Notes what an answer costs."""
        self._billed(bill)

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """The call's answer. Raises what its last attempt raised, what the gate is closed for, or
        ServiceThrottled where others are first; `retry_after` is then the longest wait known."""
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
            with self._patience.waiting():
                self._sleep(pause)

    def _entered(self) -> int:
        """The call's turn has come, and the run may go on."""
        with self._patience.waiting():
            epoch = self._gate.enter(self._patience.left)
        try:
            self._before()
        except BaseException:
            self._gate.abandon(epoch)
            raise
        return epoch

    def _made(self, call: Callable[[], Answer], epoch: int) -> Answer:
        begun = self._patience.now()
        try:
            answer = call()
        except BaseException as error:
            self._patience.lost_since(begun)
            self._gate.leave(epoch, error)
            raise
        self._gate.leave(epoch)
        return answer

    def _pause(self, error: ServiceDeferred, attempt: int) -> float | None:
        """Seconds to wait before the next attempt; None where there is none in this run, and the
        error says how long it would have been."""
        rest = self._gate.rest
        pause = FIRST_PAUSE * 2.0 ** (attempt - 1) * self._uniform(0.5, 1.0)
        # a hang has used the time, and an operator is not that fast
        is_last = attempt == ATTEMPTS or isinstance(error, ServiceTimeout | DeploymentBroken)
        if not is_last and max(pause, rest) <= self._patience.left:
            return pause
        waits = [wait for wait in (error.retry_after, rest or None) if wait is not None]
        error.retry_after = max(waits, default=None)
        return None
