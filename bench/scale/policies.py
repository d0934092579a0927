"""How a run handles an image: the app's policy, and a naive one for comparison."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from bench.scale.clock import Simulation
from bench.scale.host import Failed
from bench.scale.money import Money
from bench.scale.queues import Image
from bench.scale.quota import Service
from captioning.app.timeouts import WAIT_SECONDS
from captioning.errors import ServiceDeferred, ServiceThrottled
from captioning.resilience.backoff import delay, is_hopeless, waiting_since
from captioning.resilience.gate import Gate
from captioning.resilience.retries import RetryingCalls, WaitBudget

START = datetime(2026, 11, 24, tzinfo=UTC)
"""The date at which simulated time begins."""
SDK_RETRIES, SDK_PAUSE, SDK_LONGEST = 2, 0.5, 120.0
"""The retries of the openai client: further attempts; seconds of the first pause, which doubles;
the longest `Retry-After` that it obeys."""


class Policy(Protocol):
    """What one process does with images."""

    def run(self, image: Image) -> None:
        """Handles one delivery of an image; raises Failed if the host is to retry."""


class Ends(Protocol):
    """Receives images by how they ended."""

    def captioned(self, image: Image) -> None: ...
    def deferred(self, image: Image, seconds: float) -> None: ...
    def gave_up(self, image: Image) -> None: ...


@dataclass
class Environment:
    """What all processes share. With `money` each has a ledger, and checks the budget before it
    pays."""

    time: Simulation
    vision: Service
    model: Service
    ends: Ends
    chance: random.Random
    storage_seconds: float
    money: Money | None
    paid: Callable[[bool, bool], None]
    """Called with whether Vision and the model have answered."""


class AppPolicy:
    """The app's policy: gates, a wait budget, and a deferral when it is used up. Vision's answers
    are saved."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        time, chance = environment.time, environment.chance
        self._gates = [
            Gate(service.name, clock=time.clock, wait=time.wait, uniform=chance.uniform)
            for service in (environment.vision, environment.model)
        ]
        self._ledger = environment.money.ledger() if environment.money else None

    def run(self, image: Image) -> None:
        """As CaptionCache and CaptionPipeline do it, with pauses in place of storage requests."""
        environment = self._environment
        environment.time.sleep(environment.storage_seconds / 2)
        answers = [False, False]
        try:
            self._ask(image, answers)
        except ServiceDeferred as error:
            self._put_off(image, error)
            return
        finally:
            self._count(*answers)
        environment.time.sleep(environment.storage_seconds / 2)
        environment.ends.captioned(image)

    def _ask(self, image: Image, answers: list[bool]) -> None:
        environment, patience = (
            self._environment,
            WaitBudget(WAIT_SECONDS, self._environment.time.clock),
        )
        if self._ledger:
            self._ledger.check_budget()
        if not image.is_analysed:
            self._calls(0, patience).ask(environment.vision.call)
            image.is_analysed = answers[0] = True
        self._calls(1, patience).ask(environment.model.call)
        answers[1] = True

    def _count(self, vision: bool, model: bool) -> None:
        """Counts the answers at the end of the run, as the app does."""
        self._environment.paid(vision, model)
        if self._ledger and self._environment.money:
            self._ledger.add(self._environment.money.usage(vision=vision, model=model))

    def _calls(self, service: int, patience: WaitBudget) -> RetryingCalls:
        return RetryingCalls(
            self._gates[service],
            patience,
            _nothing,
            _nothing,
            sleep=self._environment.time.sleep,
            uniform=self._environment.chance.uniform,
        )

    def _put_off(self, image: Image, error: ServiceDeferred) -> None:
        now = START + timedelta(seconds=self._environment.time.now)
        image.attempts += 1
        image.since = waiting_since(error, image.since, now)
        if is_hopeless(error, image.since, now):
            self._environment.ends.gave_up(image)
        else:
            seconds = delay(error, image.attempts, self._environment.chance.uniform)
            self._environment.ends.deferred(image, seconds)


class NaivePolicy:
    """Calls both services one after the other and leaves retries to the host. With `sdk_retries`
    the client of the model retries as well."""

    def __init__(self, environment: Environment, *, sdk_retries: bool) -> None:
        self._environment = environment
        self._retries = SDK_RETRIES if sdk_retries else 0

    def run(self, image: Image) -> None:
        """Handles one delivery; nothing is saved if it fails."""
        environment = self._environment
        environment.time.sleep(environment.storage_seconds / 2)
        try:
            environment.vision.call()
            environment.paid(True, False)
            self._ask_model()
        except ServiceThrottled as error:
            raise Failed from error
        environment.paid(False, True)
        environment.time.sleep(environment.storage_seconds / 2)
        environment.ends.captioned(image)

    def _ask_model(self) -> None:
        for attempt in range(self._retries):
            try:
                self._environment.model.call()
            except ServiceThrottled as error:
                pause = error.retry_after or 0.0
                if pause > SDK_LONGEST:
                    raise
                self._environment.time.sleep(pause or SDK_PAUSE * 2.0**attempt)
            else:
                return
        self._environment.model.call()


def _nothing(*_: object) -> None:
    """Has no effect: there is no claim to renew, and bills are counted elsewhere."""
