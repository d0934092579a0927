"""Simulated services: a latency, a quota, and a 429 with `Retry-After` beyond it."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from captioning.errors import ServiceThrottled


class Quota(Protocol):
    """How many calls a service accepts."""

    def take(self, now: float) -> float:
        """Returns 0 if a call is accepted, else the seconds until the next one would be."""


@dataclass
class Sliding:
    """Accepts `calls` calls in any `period` seconds."""

    calls: int
    period: float = 1.0
    _taken: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> float:
        """Refused calls do not count."""
        while self._taken and self._taken[0] <= now - self.period:
            self._taken.popleft()
        if len(self._taken) >= self.calls:
            return self._taken[0] + self.period - now
        self._taken.append(now)
        return 0.0


@dataclass
class Fixed:
    """Accepts `calls` calls in each window of `period` seconds, as Azure OpenAI counts tokens with
    a counter that is reset every minute. All calls have one size; the first begins a window."""

    calls: int
    period: float = 60.0
    _begun: float | None = None
    _window: int = 0
    _taken: int = 0

    def take(self, now: float) -> float:
        """Refused calls do not count."""
        if self._begun is None:
            self._begun = now
        window = int((now - self._begun) // self.period)
        if window != self._window:
            self._window, self._taken = window, 0
        if self._taken >= self.calls:
            return self._begun + (window + 1) * self.period - now
        self._taken += 1
        return 0.0


class Unlimited:
    """Accepts every call."""

    def take(self, now: float) -> float:
        """Always 0."""
        return 0.0


@dataclass
class Service:
    """One service. Answers take `seconds` on average, uniformly distributed within plus or minus
    the share `spread`; a 429 takes `refusal_seconds`. `faulty` is the share of calls that are
    refused at random, with a `Retry-After` of one second."""

    name: str
    quota: Quota
    seconds: float
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    chance: random.Random
    spread: float = 0.25
    refusal_seconds: float = 0.05
    faulty: float = 0.0
    whole_seconds: bool = True
    """Whether a 429 has a `Retry-After` in whole seconds, or a `retry-after-ms`."""
    served: int = 0
    refused: int = 0

    @property
    def calls(self) -> int:
        """All calls, answered and refused."""
        return self.served + self.refused

    def call(self) -> None:
        """Makes a call; ServiceThrottled if it is refused."""
        retry_after = self.quota.take(self.clock())
        if retry_after == 0.0 and self.faulty and self.chance.random() < self.faulty:
            retry_after = 1.0
        if retry_after:
            self.refused += 1
            self.sleep(self.refusal_seconds)
            retry_after = math.ceil(retry_after) if self.whole_seconds else max(retry_after, 0.001)
            raise ServiceThrottled(f"{self.name} is over its quota.", retry_after)
        self.served += 1
        self.sleep(self.seconds * self.chance.uniform(1 - self.spread, 1 + self.spread))
