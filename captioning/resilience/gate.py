"""An adaptive concurrency limiter with circuit breaking: one per service and process.

When the service asks one thread to wait, all threads wait. The rates are TCP's (additive increase,
multiplicative decrease, slow start): after the gate has closed, a single call probes. Each success
lets more calls through: twice as many per round up to half of what was in flight when it closed,
then one more per round. Beware when comparing: a *closed* gate is an *open* circuit breaker.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable

from captioning.errors import (
    BadResponse,
    DeploymentBroken,
    ImageRejected,
    ServiceDeferred,
    ServiceThrottled,
)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
FIRST_REPAIR, LONGEST_REPAIR = 30.0, 300.0
LONGEST_RETRY_AFTER = 3600.0
"""Seconds. A repair is what an operator has to do: see DeploymentBroken."""
OUTAGE = 3
"""Failures in a row that close the gate, although the service sent no `Retry-After`."""
FREE = 64.0
"""Concurrent calls above which the limit is lifted."""


def _wait(condition: threading.Condition, seconds: float) -> object:
    return condition.wait(seconds)


class Gate:
    """Limits the calls to one service; safe to share between threads.

    `on_broken` is called with every error that an operator has to fix, `on_answer` for every call
    which shows that the service works. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        service: str,
        *,
        on_broken: Callable[[DeploymentBroken], None] = lambda _: None,
        on_answer: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Condition, float], object] = _wait,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._service = service
        self._on_broken = on_broken
        self._on_answer = on_answer
        self._clock = clock
        self._wait = wait
        self._uniform = uniform
        self._changed = threading.Condition()
        self._reason: ServiceDeferred = ServiceThrottled(f"{service} asked the app to wait.")
        self._opens = -math.inf
        self._epoch = 0
        self._limit = self._threshold = math.inf
        self._in_flight = 0
        self._closings = 0
        self._failures = 0

    @property
    def rest(self) -> float:
        """Seconds until the gate opens; 0 while it is open."""
        with self._changed:
            return self._rest()

    def enter(self, patience: float) -> int:
        """Waits for a call's turn and returns the epoch that it begins in, for `leave`.

        If that takes more than `patience` seconds, raises the error that closed the gate, or
        ServiceThrottled when the service answers again but other calls are ahead.
        """
        end = self._clock() + patience
        with self._changed:
            while (rest := self._rest()) or self._in_flight + 1 > self._limit:
                left = end - self._clock()
                if rest > left or left <= 0:
                    raise self._refusal(rest)
                self._wait(self._changed, rest or left)
            self._in_flight += 1
            return self._epoch

    def abandon(self, epoch: int) -> None:
        """Ends a call that was not made after all; says nothing about the service."""
        with self._changed:
            self._free(epoch)

    def leave(self, epoch: int, error: BaseException | None = None) -> None:
        """Ends a call that began in `epoch`, with an answer or with what it raised. An error that
        did not come from the service says nothing about it."""
        answered = error is None or isinstance(error, ImageRejected | BadResponse)
        with self._changed:
            is_news = self._free(epoch)
            if isinstance(error, ServiceDeferred):
                self._fail(error, is_news=is_news)
            elif answered and is_news:
                self._widen()
        if isinstance(error, DeploymentBroken):
            self._on_broken(error)
        elif answered and is_news:
            self._on_answer()

    def _free(self, epoch: int) -> bool:
        """Frees the slot, and returns whether the call began after the gate last closed.
        Older calls hold no slot, and their outcome is out of date."""
        is_news = epoch == self._epoch
        self._in_flight -= is_news
        self._changed.notify_all()
        return is_news

    def _rest(self) -> float:
        return max(0.0, self._opens - self._clock())

    def _refusal(self, rest: float) -> ServiceDeferred:
        """A new error for each caller, because an error carries a traceback."""
        if self._closings:
            return type(self._reason)(self._reason.message, rest or None)
        return ServiceThrottled(
            f"{self._service} takes few calls at a time after a failure; others were ahead.",
            rest or None,
        )

    def _widen(self) -> None:
        self._closings = self._failures = 0
        self._limit += 1 if self._limit < self._threshold else 1 / self._limit
        if self._limit > FREE:
            self._limit = math.inf

    def _fail(self, error: ServiceDeferred, *, is_news: bool) -> None:
        """A call from before the gate last closed failed for the same reason: only its
        `Retry-After` counts."""
        asked = min(error.retry_after or 0.0, LONGEST_RETRY_AFTER)
        if not is_news:
            self._opens = max(self._opens, self._clock() + asked)
            return
        self._failures += 1
        is_clear = isinstance(error, ServiceThrottled | DeploymentBroken)
        if is_clear or error.retry_after is not None or self._failures >= OUTAGE:
            self._close(error, asked)

    def _close(self, error: ServiceDeferred, asked: float) -> None:
        if isinstance(error, DeploymentBroken) != isinstance(self._reason, DeploymentBroken):
            self._closings = 0
        if not self._closings:  # kept while probes fail, as RFC 5681 keeps ssthresh
            self._threshold = max(1.0, (self._in_flight + 1) / 2)
        pause = max(asked * self._uniform(1.0, 1.1), self._backoff(error))
        self._opens = max(self._opens, self._clock() + pause)
        self._reason = type(error)(error.message)  # the original's traceback references the image
        self._closings += 1
        self._limit, self._in_flight = 1.0, 0
        self._epoch += 1

    def _backoff(self, error: ServiceDeferred) -> float:
        repair = isinstance(error, DeploymentBroken)
        first, longest = (FIRST_REPAIR, LONGEST_REPAIR) if repair else (FIRST_PAUSE, LONGEST_PAUSE)
        return min(first * 2.0 ** min(self._closings, 16), longest) * self._uniform(0.75, 1.0)
