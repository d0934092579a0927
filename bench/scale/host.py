"""The Functions host: takes messages in batches and gives each several attempts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.scale.clock import Simulation
from bench.scale.queues import Image, Queue
from captioning.embedded.host.functions import Batches
from testing.paths import ROOT

DEFAULT_DEGREE = 8
"""How many blob events the host processes at a time for each core, by default."""


class Failed(Exception):
    """The function raised; the host will retry."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the messages of a function are processed: in which batches they are taken, by the rule of
    the embedded host. Each has up to `attempts` attempts, `pause` seconds apart."""

    batches: Batches
    attempts: int = 5
    pause: float = 0.0

    @property
    def most(self) -> int:
        """How many messages are processed at a time, at most."""
        return self.batches.most

    @classmethod
    def of_blobs(cls, degree: int) -> Rules:
        """The rules of the blob extension for a `maxDegreeOfParallelism`. It has no pause."""
        return cls(Batches.of_blobs(degree), attempts=_figure("blobs", "poisonBlobThreshold"))

    @classmethod
    def of_messages(cls, batch: int, threshold: int) -> Rules:
        """The rules of the queue extension, with attempts and pause from host.json."""
        hours, minutes, seconds = _figure("queues", "visibilityTimeout").split(":")
        pause = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        return cls(Batches(batch, threshold), _figure("queues", "maxDequeueCount"), pause)

    @classmethod
    def exactly(cls, most: int) -> Rules:
        """So many are processed at a time: a free place is filled at once."""
        return cls(Batches.exactly(most))


def host_json() -> tuple[Rules, Rules]:
    """The rules for events and for messages in host.json, which the infrastructure overrides."""
    return (
        Rules.of_blobs(_figure("blobs", "maxDegreeOfParallelism")),
        Rules.of_messages(_figure("queues", "batchSize"), _figure("queues", "newBatchThreshold")),
    )


def _figure(section: str, name: str) -> Any:
    found = json.loads((ROOT / "host.json").read_text("utf-8"))
    return found["extensions"][section][name]


class Listener:
    """One function on one instance. `run` raises Failed if an attempt fails; `given_up` receives
    the image after the last attempt."""

    def __init__(
        self,
        time: Simulation,
        queue: Queue,
        rules: Rules,
        run: Callable[[Image], None],
        given_up: Callable[[Image], None],
    ) -> None:
        self._time = time
        self._queue = queue
        self._rules = rules
        self._run = run
        self._given_up = given_up
        self._at_work = 0
        self._is_resting = False

    def fetch(self) -> None:
        """Takes as many messages as the rules allow; rests if there are none."""
        self._is_resting = False
        while due := self._rules.batches.due(self._at_work):
            found = self._queue.take(due)
            if not found:
                self._is_resting = True
                self._queue.rest(self)
                return
            for sent, image in found:
                self._at_work += 1
                self._begin(sent, image)

    def _begin(self, sent: float, image: Image) -> None:
        self._time.start(lambda: self._attempt(sent, image))

    def _attempt(self, sent: float, image: Image) -> None:
        try:
            self._run(image)
        except Failed:
            image.deliveries += 1
            if image.deliveries >= self._rules.attempts:
                self._given_up(image)
            else:
                self._queue.put(image, self._rules.pause, sent)
        self._at_work -= 1
        if not self._is_resting:
            self.fetch()
