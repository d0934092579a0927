"""One gate per service and process: when one thread is told to wait, all wait.

The rates are TCP's: after a closing a single call probes, each success lets more through, twice as
many per round up to half of what was in flight before the trouble, then one more per round.
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
LONGEST_WISH = 3600.0
"""Seconds. A repair is an operator's: see DeploymentBroken."""
OUTAGE = 3
"""So many failures in a row, without a wish to wait, are not one call's bad luck."""
FREE = 64.0
"""Calls at a time beyond which they are not counted."""


def _wait(condition: threading.Condition, seconds: float) -> object:
    return condition.wait(seconds)


class Gate:
    """Lets calls of one service through; safe to share between threads.

    `on_broken` hears of every call that an operator has to mend something for, `on_answer` of every
    one that shows the service at work. `clock` is monotonic, in seconds.
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
        self._reason: ServiceDeferred = ServiceThrottled(f"{service} asked to be left alone.")
        self._opens = -math.inf
        self._epoch = 0
        self._limit = self._threshold = math.inf
        self._in_flight = 0
        self._closings = 0
        self._failures = 0

    @property
    def rest(self) -> float:
        """Seconds until calls may go again; 0 when they may."""
        with self._changed:
            return self._rest()

    def enter(self, patience: float) -> int:
        """Waits for a call's turn; the epoch that it begins in, for `leave`. Where that takes more
        than `patience` seconds, raises what the gate was closed for, or ServiceThrottled when the
        service answers again but others are first."""
        end = self._clock() + patience
        with self._changed:
            while (rest := self._rest()) or self._in_flight + 1 > self._limit:
                left = end - self._clock()
                if rest > left or left <= 0:
                    raise self._no(rest)
                self._wait(self._changed, rest or left)
            self._in_flight += 1
            return self._epoch

    def abandon(self, epoch: int) -> None:
        """Ends a call that was not made after all."""
        with self._changed:
            self._free(epoch)

    def leave(self, epoch: int, error: BaseException | None = None) -> None:
        """Ends a call that began in `epoch`, with an answer or with what it raised: whatever the
        service did not raise says nothing of it."""
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
        """Frees the slot. Whether the call began after the last closing: older ones have none, and
        what becomes of them is no news."""
        is_news = epoch == self._epoch
        self._in_flight -= is_news
        self._changed.notify_all()
        return is_news

    def _rest(self) -> float:
        return max(0.0, self._opens - self._clock())

    def _no(self, rest: float) -> ServiceDeferred:
        """Each caller's own: an error carries a traceback."""
        if self._closings:
            return type(self._reason)(self._reason.message, rest or None)
        return ServiceThrottled(
            f"{self._service} takes few calls at a time after a failure; others were first.",
            rest or None,
        )

    def _widen(self) -> None:
        self._closings = self._failures = 0
        self._limit += 1 if self._limit < self._threshold else 1 / self._limit
        if self._limit > FREE:
            self._limit = math.inf

    def _fail(self, error: ServiceDeferred, *, is_news: bool) -> None:
        """A call from before the last closing failed of the same trouble: only its wish counts."""
        wish = min(error.retry_after or 0.0, LONGEST_WISH)
        if not is_news:
            self._opens = max(self._opens, self._clock() + wish)
            return
        self._failures += 1
        told = isinstance(error, ServiceThrottled | DeploymentBroken)
        if told or error.retry_after is not None or self._failures >= OUTAGE:
            self._close(error, wish)

    def _close(self, error: ServiceDeferred, wish: float) -> None:
        if isinstance(error, DeploymentBroken) != isinstance(self._reason, DeploymentBroken):
            self._closings = 0
        if not self._closings:  # held while probes fail, as RFC 5681 holds ssthresh
            self._threshold = max(1.0, (self._in_flight + 1) / 2)
        pause = max(wish * self._uniform(1.0, 1.1), self._backoff(error))
        self._opens = max(self._opens, self._clock() + pause)
        self._reason = type(error)(error.message)  # the error's traceback holds the image
        self._closings += 1
        self._limit, self._in_flight = 1.0, 0
        self._epoch += 1

    def _backoff(self, error: ServiceDeferred) -> float:
        repair = isinstance(error, DeploymentBroken)
        first, longest = (FIRST_REPAIR, LONGEST_REPAIR) if repair else (FIRST_PAUSE, LONGEST_PAUSE)
        return min(first * 2.0 ** min(self._closings, 16), longest) * self._uniform(0.75, 1.0)
