"""Services as the app meets them: a latency, a quota, and a 429 with a wish beyond it."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from captioning.errors import ServiceThrottled


class Quota(Protocol):
    """How much a service takes."""

    def take(self, now: float) -> float:
        """0 where a call is taken; else in how many seconds the next one would be."""


@dataclass
class Sliding:
    """So many calls in any stretch of `period` seconds."""

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
    """So many calls in each window of `period` seconds: how Azure OpenAI counts tokens, with a
    counter that is reset every minute. Calls are of one size here; the first begins a window."""

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
    """Takes everything."""

    def take(self, now: float) -> float:
        """Always."""
        return 0.0


@dataclass
class Service:
    """One service. `seconds` is what an answer takes on the average, `spread` how far it goes to
    either side of that; `refusal_seconds` what a 429 takes. `faulty` is the share of calls that
    are refused for no reason, with a wish of a second."""

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
    """Whether the wish is a `Retry-After` in whole seconds, or a `retry-after-ms`."""
    served: int = 0
    refused: int = 0

    @property
    def calls(self) -> int:
        """Answered and refused ones."""
        return self.served + self.refused

    def call(self) -> None:
        """Returns when it has answered; ServiceThrottled where it has not."""
        wish = self.quota.take(self.clock())
        if wish == 0.0 and self.faulty and self.chance.random() < self.faulty:
            wish = 1.0
        if wish:
            self.refused += 1
            self.sleep(self.refusal_seconds)
            wish = math.ceil(wish) if self.whole_seconds else max(wish, 0.001)
            raise ServiceThrottled(f"{self.name} is over its quota.", wish)
        self.served += 1
        self.sleep(self.seconds * self.chance.uniform(1 - self.spread, 1 + self.spread))
