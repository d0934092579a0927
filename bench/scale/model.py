"""The simulated system: images, Event Grid, queues, instances, policies and services."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from inspect import signature

from bench.scale.clock import Simulation
from bench.scale.event_grid import EventGrid
from bench.scale.host import Listener
from bench.scale.money import Money
from bench.scale.policies import START, AppPolicy, Environment, NaivePolicy, Policy
from bench.scale.queues import Image, Queue
from bench.scale.quota import Fixed, Quota, Service, Sliding, Unlimited
from bench.scale.scenarios import HOST_LIFE, Scenario
from captioning.maintenance.reconcile import Reconciler

UPLOADS_PER_SECOND = 2_500
"""In a burst: more than one queue accepts."""
RECONCILE_SECONDS = 300.0
DEEPEST: int = signature(Reconciler).parameters["deepest"].default
"""`reconcile` adds messages only while the queue has fewer than these."""


@dataclass
class Counts:
    """How images ended, with how many runs, deferrals and paid answers; ages are in seconds."""

    captioned: int = 0
    poisoned: int = 0
    gave_up: int = 0
    deferrals: int = 0
    runs: int = 0
    expired: int = 0
    vision_paid: int = 0
    model_paid: int = 0
    last_end: float = 0.0
    oldest: float = 0.0
    ages: list[float] = field(default_factory=list)

    @property
    def ended(self) -> int:
        """Images that ended, in whatever way."""
        return self.captioned + self.poisoned + self.gave_up


class Model:
    """The simulation of one scenario. `run` returns when every image has ended."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.time = Simulation()
        self.counts = Counts()
        self.chance = random.Random(scenario.seed)
        self.overlooked: list[Image] = []
        poll = scenario.poll_seconds
        self.events = Queue(self.time, poll, HOST_LIFE, self._expired)
        self.deferred_queue = Queue(self.time, poll)
        self.event_grid = EventGrid(self.time, self.events)
        quotas = scenario.quotas
        self.vision = self._service(
            "Azure AI Vision",
            Sliding(quotas.vision) if quotas.vision else Unlimited(),
            scenario.vision_seconds,
        )
        kind = Sliding if scenario.sliding else Fixed
        self.model = self._service(
            "The caption service",
            kind(quotas.images, quotas.window) if quotas.images else Unlimited(),
            scenario.model_seconds,
        )
        self.model.whole_seconds = scenario.sliding
        limit = scenario.daily_usd
        self.money = Money(limit, self._now) if limit is not None else None
        self.environment = Environment(
            self.time,
            self.vision,
            self.model,
            self,
            self.chance,
            scenario.storage_seconds,
            money=self.money,
            paid=self._paid,
        )

    def run(self) -> Model:
        """Runs the simulation; returns the model, which has the counts."""
        for _ in range(self.scenario.capacity.instances):
            self._start_instance()
        self._upload()
        self.time.run()
        return self

    def _now(self) -> datetime:
        return START + timedelta(seconds=self.time.now)

    def captioned(self, image: Image) -> None:
        """The image has a final record."""
        self.counts.captioned += 1
        self._ended(image)

    def deferred(self, image: Image, seconds: float) -> None:
        """Queues the image for later, in whole seconds as the queue does."""
        self.counts.deferrals += 1
        self.deferred_queue.put(image, float(-int(-seconds // 1)))

    def gave_up(self, image: Image) -> None:
        """The image was retried for a day."""
        self.counts.gave_up += 1
        self._ended(image)

    def poisoned(self, image: Image) -> None:
        """The host made its last attempt at the image."""
        self.counts.poisoned += 1
        self._ended(image)

    def _ended(self, image: Image) -> None:
        self.counts.last_end = self.time.now
        age = self.time.now - image.arrived
        self.counts.oldest = max(self.counts.oldest, age)
        self.counts.ages.append(age)

    def _paid(self, vision: bool, model: bool) -> None:
        self.counts.vision_paid += vision
        self.counts.model_paid += model

    def _service(self, name: str, quota: Quota, seconds: float) -> Service:
        scenario = self.scenario
        return Service(
            name,
            quota,
            seconds,
            self.time.sleep,
            self.time.clock,
            self.chance,
            scenario.spread,
            faulty=scenario.faulty,
        )

    def _policy(self) -> Policy:
        if self.scenario.policy == "ours":
            return AppPolicy(self.environment)
        return NaivePolicy(self.environment, sdk_retries=self.scenario.policy != "naive")

    def _start_instance(self) -> None:
        capacity = self.scenario.capacity
        policy = self._policy()
        other = self._policy() if self.scenario.separate else policy
        for queue, rules, runs in (
            (self.events, capacity.blobs, policy),
            (self.deferred_queue, capacity.messages, other),
        ):
            Listener(self.time, queue, rules, self._counted(runs), self.poisoned).fetch()

    def _counted(self, policy: Policy) -> Callable[[Image], None]:
        def run(image: Image) -> None:
            self.counts.runs += 1
            policy.run(image)

        return run

    def _upload(self) -> None:
        scenario = self.scenario
        if scenario.per_second is not None:
            self._stream(scenario.per_second)
            return
        size = UPLOADS_PER_SECOND // 10
        for number, first in enumerate(range(0, scenario.images, size)):
            count = min(size, scenario.images - first)
            self.time.at(number / 10, partial(self._publish, count))

    def _stream(self, per_second: float) -> None:
        left = self.scenario.images

        def next_one() -> None:
            nonlocal left
            self._publish(1)
            left -= 1
            if left:
                self.time.at(self.chance.expovariate(per_second), next_one)

        self.time.at(0.0, next_one)

    def _publish(self, count: int) -> None:
        now = self.time.now
        self.event_grid.publish([Image(now) for _ in range(count)])

    def _expired(self, image: Image) -> None:
        """The event of the image expired. `reconcile` finds such images, and queues them while
        there is room."""
        self.counts.expired += 1
        self.overlooked.append(image)
        if len(self.overlooked) == 1:
            self.time.at(RECONCILE_SECONDS, self._reconcile)

    def _reconcile(self) -> None:
        room = max(DEEPEST - len(self.deferred_queue), 0)
        for image in self.overlooked[:room]:
            self.deferred_queue.put(image)
        del self.overlooked[:room]
        if self.overlooked:
            self.time.at(RECONCILE_SECONDS, self._reconcile)
