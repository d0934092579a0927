"""Which scenarios are run. `million` are true runs of that many images; the others are smaller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.scale.cost import usd
from bench.scale.host import Rules
from bench.scale.scenarios import Capacity, Quotas, Scenario

FACTORS = (1, 10, 100)
STREAM_SHARE = 0.9
"""Of what the quotas allow: what a steady stream brings."""
MOST_INSTANCES = 100
SWEEP = (1, 2, 5, 10, 20, 50, 100)
UNPACED = Quotas(10, None)


def bursts(images: int) -> Iterator[Scenario]:
    """All images at once, on what the infrastructure deploys for the quotas."""
    for factor in FACTORS:
        quotas = Quotas.times(factor)
        yield Scenario(f"burst, quotas x{factor}", images, quotas, Capacity.deployed(quotas))


def streams(images: int) -> Iterator[Scenario]:
    """The same images at nine tenths of the quotas' rate."""
    for factor in FACTORS:
        quotas = Quotas.times(factor)
        yield Scenario(
            f"stream, quotas x{factor}",
            images,
            quotas,
            Capacity.deployed(quotas),
            per_second=STREAM_SHARE * quotas.rate,
        )


def naive(images: int) -> Iterator[Scenario]:
    """All at once, with the host's defaults and no deferral."""
    for factor in FACTORS:
        quotas = Quotas.times(factor)
        plain = Scenario(
            f"naive burst, quotas x{factor}",
            images,
            quotas,
            Capacity.host_defaults(MOST_INSTANCES),
            policy="naive",
        )
        yield plain
        yield replace(
            plain,
            name=f"the same with the SDK's retries, x{factor}",
            policy="naive with SDK retries",
        )


def instances(images: int) -> Iterator[Scenario]:
    """How many instances are too few, and too many."""
    quotas = Quotas.times(100)
    for count in SWEEP:
        yield Scenario(f"{count} instances, quotas x100", images, quotas, Capacity.of(count))


def bad_days(images: int) -> Iterator[Scenario]:
    """A quota of calls a second, and services that refuse whatever one does."""
    one = Capacity.of(1)
    several = replace(one, instances=5)
    yield Scenario("10 calls a second, 1 instance", images, UNPACED, one)
    yield Scenario("10 calls a second, 5 instances", images, UNPACED, several)
    for share in (0.1, 0.3):
        name = f"{share:.0%} refused, no quota, 1 instance"
        yield Scenario(name, images, Quotas(None, None), one, faulty=share)


def budgets(images: int) -> Iterator[Scenario]:
    """A budget that a fifth of a burst uses up each day."""
    daily = usd(1, 1) * images / 5
    for factor in FACTORS[1:]:
        quotas = Quotas.times(factor)
        capacity = Capacity.deployed(quotas)
        name = f"burst, quotas x{factor}, {daily:.2f} USD a day"
        yield Scenario(name, images, quotas, capacity, daily_usd=daily)


def local(images: int, quotas: Quotas, *, sliding: bool, storage_seconds: float) -> Scenario:
    """As the embedded host runs it here: one process, no batches."""
    blobs, messages = Capacity.of(1).blobs, Capacity.of(1).messages
    capacity = Capacity(
        1,
        Rules.embedded(blobs.most, blobs.attempts),
        Rules.embedded(messages.most, messages.attempts, messages.pause),
    )
    return Scenario(
        "local",
        images,
        quotas,
        capacity,
        separate=False,
        sliding=sliding,
        storage_seconds=storage_seconds,
        poll_seconds=0.3,
    )
