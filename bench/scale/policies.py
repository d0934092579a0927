"""What a run does with an image: the app's own way, and what one writes without much thought."""

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
"""Where simulated time begins, for policies that think in dates."""
SDK_RETRIES, SDK_PAUSE, SDK_LONGEST = 2, 0.5, 120.0
"""What the openai client does by itself: so many further attempts; a pause, doubled each time; the
longest wish that it obeys."""


class Policy(Protocol):
    """One process's."""

    def run(self, image: Image) -> None:
        """One delivery of an image. Failed where it raises."""


class Ends(Protocol):
    """Where images go."""

    def captioned(self, image: Image) -> None: ...
    def deferred(self, image: Image, seconds: float) -> None: ...
    def gave_up(self, image: Image) -> None: ...


@dataclass
class World:
    """What every process shares. With `money` each keeps a ledger and asks it before it pays."""

    time: Simulation
    vision: Service
    model: Service
    ends: Ends
    chance: random.Random
    storage_seconds: float
    money: Money | None
    paid: Callable[[bool, bool], None]
    """Hears of an answer of Vision, and of the model."""


class Ours:
    """The app: gates, patience, and a delay when that is at its end. What Vision said is kept."""

    def __init__(self, world: World) -> None:
        self._world = world
        time, chance = world.time, world.chance
        self._gates = [
            Gate(service.name, clock=time.clock, wait=time.wait, uniform=chance.uniform)
            for service in (world.vision, world.model)
        ]
        self._ledger = world.money.ledger() if world.money else None

    def run(self, image: Image) -> None:
        """As Contents and CaptionPipeline do it, with the storage's part as a pause."""
        world = self._world
        world.time.sleep(world.storage_seconds / 2)
        answers = [False, False]
        try:
            self._ask(image, answers)
        except ServiceDeferred as error:
            self._put_off(image, error)
            return
        finally:
            self._count(*answers)
        world.time.sleep(world.storage_seconds / 2)
        world.ends.captioned(image)

    def _ask(self, image: Image, answers: list[bool]) -> None:
        world, patience = self._world, WaitBudget(WAIT_SECONDS, self._world.time.clock)
        if self._ledger:
            self._ledger.check_budget()
        if not image.is_analysed:
            self._calls(0, patience).ask(world.vision.call)
            image.is_analysed = answers[0] = True
        self._calls(1, patience).ask(world.model.call)
        answers[1] = True

    def _count(self, vision: bool, model: bool) -> None:
        """At the end of the run, as the app does."""
        self._world.paid(vision, model)
        if self._ledger and self._world.money:
            self._ledger.add(self._world.money.usage(vision=vision, model=model))

    def _calls(self, service: int, patience: WaitBudget) -> RetryingCalls:
        return RetryingCalls(
            self._gates[service],
            patience,
            _nothing,
            _nothing,
            sleep=self._world.time.sleep,
            uniform=self._world.chance.uniform,
        )

    def _put_off(self, image: Image, error: ServiceDeferred) -> None:
        now = START + timedelta(seconds=self._world.time.now)
        image.attempts += 1
        image.since = waiting_since(error, image.since, now)
        if is_hopeless(error, image.since, now):
            self._world.ends.gave_up(image)
        else:
            seconds = delay(error, image.attempts, self._world.chance.uniform)
            self._world.ends.deferred(image, seconds)


class Naive:
    """Both services one after the other; what they refuse is raised, and the host tries again.
    `sdk_retries`: the model is asked by a client that tries again by itself."""

    def __init__(self, world: World, *, sdk_retries: bool) -> None:
        self._world = world
        self._retries = SDK_RETRIES if sdk_retries else 0

    def run(self, image: Image) -> None:
        """Nothing is kept of a delivery that fails."""
        world = self._world
        world.time.sleep(world.storage_seconds / 2)
        try:
            world.vision.call()
            world.paid(True, False)
            self._ask_model()
        except ServiceThrottled as error:
            raise Failed from error
        world.paid(False, True)
        world.time.sleep(world.storage_seconds / 2)
        world.ends.captioned(image)

    def _ask_model(self) -> None:
        for attempt in range(self._retries):
            try:
                self._world.model.call()
            except ServiceThrottled as error:
                wish = error.retry_after or 0.0
                if wish > SDK_LONGEST:
                    raise
                self._world.time.sleep(wish or SDK_PAUSE * 2.0**attempt)
            else:
                return
        self._world.model.call()


def _nothing(*_: object) -> None:
    """Nothing to renew, and nobody to bill."""
