"""The simulation keeps what is true of the app: nothing is lost, and no quota is beaten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.scale import limits
from bench.scale.clock import Simulation
from bench.scale.figures import simulate
from bench.scale.host import Rules, host_json
from bench.scale.model import Model
from bench.scale.money import usd
from bench.scale.quota import Fixed, Sliding
from bench.scale.scenarios import (
    Capacity,
    PolicyName,
    Quotas,
    Scenario,
    bicep,
    most_tokens,
    tokens_per_image,
)
from captioning.embedded.host.functions import Batches
from testing.markdown import INTERNALS, prose

SHORT = Quotas(10, 21)
IMAGES = 200
CROWDED = Scenario("crowded", IMAGES, SHORT, Capacity.of(3))


def test_threads_take_turns_in_simulated_time() -> None:
    time, seen = Simulation(), []

    def sleeper(name: str, seconds: float) -> None:
        time.sleep(seconds)
        seen.append((name, time.now))

    time.start(lambda: sleeper("late", 2.0))
    time.start(lambda: sleeper("early", 1.0), 0.5)
    time.run()
    assert seen == [("early", 1.5), ("late", 2.0)]


def test_quotas_take_what_they_have_and_say_when_there_is_more() -> None:
    sliding, fixed = Sliding(2), Fixed(2, 60.0)
    assert [sliding.take(now) for now in (0.0, 0.75, 0.875, 1.0)] == [0, 0, 0.125, 0]
    assert [fixed.take(now) for now in (5.0, 6.0, 7.0, 65.0)] == [0, 0, 58.0, 0]


@pytest.mark.parametrize("policy", ["ours", "naive", "naive with SDK retries"])
@pytest.mark.parametrize("per_second", [None, 0.5])
def test_every_image_ends_once_and_no_quota_is_beaten(
    policy: PolicyName, per_second: float | None
) -> None:
    model = Model(replace(CROWDED, policy=policy, per_second=per_second)).run()
    counts = model.counts
    assert counts.ended == len(counts.ages) == IMAGES
    assert len(model.events) == len(model.deferred_queue) == 0
    assert counts.last_end >= SHORT.least_seconds(counts.captioned)
    assert model.model.served >= counts.captioned


def test_a_short_quota_poisons_what_is_not_put_off() -> None:
    naive = simulate(replace(CROWDED, policy="naive"))
    ours = simulate(CROWDED)
    assert (ours.captioned, ours.poisoned, ours.gave_up) == (IMAGES, 0, 0)
    assert naive.poisoned > IMAGES / 2


def test_what_is_deployed_drains_a_burst_at_the_quotas_pace() -> None:
    quotas = Quotas.times(1)
    found = simulate(Scenario("x1", IMAGES, quotas, Capacity.deployed(quotas)))
    assert found.share > 0.95


def test_a_budget_is_kept_but_for_what_is_in_flight() -> None:
    """By the app's own ledger, one a process; images wait for the day to turn."""
    daily, in_flight = usd(1, 1) * IMAGES / 2, 3 * (16 + 12)
    found = simulate(replace(CROWDED, quotas=Quotas(None, None), daily_usd=daily))
    assert (found.captioned, found.gave_up) == (IMAGES, 0)
    assert daily <= found.dearest_day <= daily + usd(1, 1) * in_flight
    assert found.hours > 24


def test_what_is_overlooked_or_refused_by_event_grid_comes_in_the_end() -> None:
    model = Model(replace(CROWDED, quotas=Quotas(None, None)))
    model.event_grid.publish([])
    model.events._life = 1.0
    model.run()
    assert model.counts.expired > 0
    assert model.counts.captioned == IMAGES


def test_a_seed_decides_everything() -> None:
    def figures(seed: int) -> object:
        return replace(simulate(replace(CROWDED, seed=seed)), computed_in=0.0)

    assert figures(1) == figures(1) != figures(2)


def test_the_apps_own_figures_are_read() -> None:
    blobs, messages = host_json()
    assert (blobs.most, messages.most) == (bicep("blobPlaces"), bicep("messagePlaces"))
    assert Rules.of_blobs(1).batches == Batches(1, 0)
    assert tokens_per_image() == 3_700 + most_tokens()
    ceilings = limits.ceilings()
    assert limits.table() in INTERNALS
    assert f"An image takes {limits.REQUESTS_OF_AN_IMAGE} storage requests" in INTERNALS
    assert f"with {limits.REQUESTS_OF_A_DEFERRAL} requests to storage each" in prose(INTERNALS)
    assert min(ceilings, key=ceilings.__getitem__) == "quotas x1"
    assert ceilings["quotas x100"] < ceilings["partitions of the catalogue"]
    assert ceilings["partitions of the catalogue"] < ceilings["instances"]
    assert ceilings["instances"] < ceilings["storage account"]
