"""The rule by which messages are fetched leaves as many places empty as the real host's did."""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from captioning.embedded.host.functions import Batches, HostConfig, HostStartError

RECORDED = json.loads((Path(__file__).parent / "recorded/at_work.json").read_text("utf-8"))
"""How many messages were at work, at most and on the average, with calls of 0.6 to 1.8 s (`varied`)
and with calls that are equally long."""
FETCH_SECONDS = 0.05
OWN_SECONDS = {"blobs": 0.015, "queue": 0.010}
"""What a request for messages took where that was recorded, and the host's own work on a message,
one after the other. Fitted; the rule has no such figures."""
WARM, CALLS = 200, 4_000


@dataclass
class Simulated:
    """A listener with more messages than it can take."""

    batches: Batches
    own_seconds: float
    call: Callable[[], float]
    at_work: int = 0
    called: int = 0
    most: int = 0
    now: float = 0.0
    idle_from: float = 0.0
    is_fetching: bool = False
    events: list[tuple[float, int, str, int]] = field(default_factory=list)
    numbers: count[int] = field(default_factory=count)

    def mean(self) -> float:
        """How many are called on the average."""
        ended, area, began = 0, 0.0, 0.0
        self._fetch()
        while ended < CALLS:
            at, _, kind, messages = heapq.heappop(self.events)
            area, self.now = area + self.called * (at - self.now), at
            if kind == "fetched":
                self._begin(messages)
            else:
                self.called += 1 if kind == "begun" else -1
            if kind == "begun":
                self._at(self.call(), "ended")
            if kind == "ended":
                ended, self.at_work = ended + 1, self.at_work - 1
            if ended == WARM:
                area, began = 0.0, self.now
            self.most = max(self.most, self.called)
            self._fetch()
        return area / (self.now - began)

    def _fetch(self) -> None:
        due = self.batches.due(self.at_work)
        if due and not self.is_fetching:
            self.is_fetching = True
            self._at(FETCH_SECONDS, "fetched", due)

    def _begin(self, messages: int) -> None:
        self.is_fetching = False
        self.at_work += messages
        for _ in range(messages):
            self.idle_from = max(self.idle_from, self.now) + self.own_seconds
            self._at(self.idle_from - self.now, "begun")

    def _at(self, seconds: float, kind: str, messages: int = 0) -> None:
        heapq.heappush(self.events, (self.now + seconds, next(self.numbers), kind, messages))


def simulated(setting: dict[str, Any], kind: str) -> Simulated:
    section = "blobs" if "blobs" in setting else "queue"
    value = setting[section]
    batches = Batches.of_blobs(value) if section == "blobs" else Batches(*value)
    chance = random.Random(1)
    calls = {"varied": lambda: chance.uniform(0.6, 1.8), "equal": lambda: 1.2}
    return Simulated(batches, OWN_SECONDS[section], calls[kind])


@pytest.mark.parametrize(
    ("setting", "kind"),
    [(row, kind) for row in RECORDED for kind in ("varied", "equal") if kind in row],
    ids=str,
)
def test_as_many_are_at_work_as_recorded(setting: dict[str, Any], kind: str) -> None:
    listener = simulated(setting, kind)
    assert listener.mean() == pytest.approx(setting[kind], rel=0.1)
    assert listener.most <= listener.batches.most
    assert setting["most"] <= listener.batches.most <= setting["most"] + 3


@pytest.mark.parametrize("places", [1, 12, 40])
def test_exactly_so_many_are_at_work_where_asked(places: int) -> None:
    batches = Batches.exactly(places)
    for at_work in range(places + 1):
        assert batches.due(at_work) == min(places - at_work, 32)


@pytest.mark.parametrize("degree", range(1, 100))
def test_no_more_blobs_are_at_work_than_the_degree(degree: int) -> None:
    batches = Batches.of_blobs(degree)
    assert (batches.most, batches.size) == (max(degree, 1), min(degree // 2 + 1, 32))


@pytest.mark.parametrize("batch", [0, 33, "many"])
def test_a_batch_that_storage_does_not_give_stops_the_start(batch: object) -> None:
    with pytest.raises(HostStartError, match=r"queues\.batchSize"):
        HostConfig.read({"extensions": {"queues": {"batchSize": batch}}}, {})
