"""The scenarios: how many images arrive, under which quotas, and how many the app processes at a
time.

Figures of the app and of its infrastructure are read from their files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

from bench.scale.host import DEFAULT_DEGREE, Rules, host_json
from bench.scale.money import usd
from captioning.config.definitions import SETTINGS
from testing.paths import ROOT

PolicyName = Literal["ours", "naive", "naive with SDK retries"]
VISION_SECONDS, MODEL_SECONDS = 0.3, 0.9
STORAGE_SECONDS = 0.3
"""Seconds of a run outside of the services: half before its first call, half after its last."""
HOST_LIFE = 7 * 86_400.0
"""Seconds after which a message on the host's queue expires: the default of Queue Storage."""
POLL_SECONDS = 1.0
"""Seconds, about, until an idle listener looks at its queue again."""
FACTORS = (1, 10, 100)
STREAM_SHARE = 0.9
"""The rate of a steady stream, as a share of what the quotas allow."""
MOST_INSTANCES = 100
LOCAL_PLACES = 16
"""Images of each function at a time in the run with which the simulation is compared."""
SWEEP = (1, 2, 5, 10, 20, 50, 100)


@cache
def bicep(name: str, file: str = "app.bicep") -> int:
    """A whole number from the Bicep file: a variable, or the default of a parameter."""
    text = (ROOT / "infra" / file).read_text("utf-8")
    [found] = re.findall(rf"^(?:var|param) {name} (?:int )?= (?:.*\? )?(\d+)", text, re.MULTILINE)
    return int(found)


def tokens_per_image() -> int:
    """The tokens that count against the quota for a call of the model: those of the request, and
    the maximum of the answer."""
    text = (ROOT / "infra/app.bicep").read_text("utf-8")
    [own] = re.findall(r"^var tokensPerImage = (\d+) \+ captionMaxTokens", text, re.MULTILINE)
    return int(own) + bicep("captionMaxTokens")


def most_tokens() -> int:
    """The default of CAPTION_MAX_TOKENS."""
    [found] = [setting.default for setting in SETTINGS if setting.name == "CAPTION_MAX_TOKENS"]
    return int(found)


@dataclass(frozen=True, slots=True)
class Quotas:
    """Calls of Vision a second, and of the model in each `window` seconds; None is no limit."""

    vision: int | None
    images: int | None
    window: float = 60.0

    @classmethod
    def times(cls, factor: int) -> Quotas:
        """The defaults of the infrastructure, multiplied."""
        tokens = bicep("modelTokensPerMinute", "main.bicep") * factor
        vision = bicep("visionCallsPerSecond", "main.bicep") * factor
        return cls(vision, tokens // tokens_per_image())

    @property
    def rate(self) -> float:
        """The images a second that the quotas allow."""
        rates = [float(self.vision)] if self.vision else []
        rates += [self.images / self.window] if self.images else []
        return min(rates, default=float("inf"))

    def least_seconds(self, images: int) -> float:
        """The fewest seconds in which the quotas allow these images: the window or second of the
        last one must have begun."""
        vision = (images - 1) // self.vision if self.vision else 0
        model = (images - 1) // self.images * self.window if self.images else 0
        return float(max(vision, model))


@dataclass(frozen=True, slots=True)
class Capacity:
    """The instances of each of the two functions that caption, and how many images each processes
    at a time."""

    instances: int
    blobs: Rules
    messages: Rules

    @classmethod
    def deployed(cls, quotas: Quotas) -> Capacity:
        """The capacity that infra/app.bicep calculates from the quotas."""
        assert quotas.vision
        assert quotas.images
        per_minute = min(quotas.vision * 60, quotas.images)
        wanted = max(_up(per_minute * bicep("secondsPerImage"), 60), 1)
        most = bicep("blobsAtWork")
        instances = min(_up(wanted, most), bicep("mostInstances"))
        each = min(_up(wanted, instances), most)
        blobs = _up(each * bicep("blobPlaces"), most)
        messages = min(_up(each * bicep("messagePlaces"), bicep("messagesAtWork")), 12)
        batch = max(messages // 6, 1)
        return cls(instances, Rules.of_blobs(blobs), Rules.of_messages(batch, messages - batch))

    @classmethod
    def of(cls, instances: int) -> Capacity:
        """Instances with the limits of host.json."""
        return cls(instances, *host_json())

    @classmethod
    def host_defaults(cls, instances: int) -> Capacity:
        """Instances with the defaults of the host; there are no messages."""
        return cls(instances, Rules.of_blobs(DEFAULT_DEGREE), Rules.of_messages(16, 8))


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated.

    `per_second` is the rate at which images arrive; None is all at once, as fast as Event Grid
    delivers. With `separate` events and messages have instances of their own, as on Flex
    Consumption.
    """

    name: str
    images: int
    quotas: Quotas
    capacity: Capacity
    per_second: float | None = None
    policy: PolicyName = "ours"
    seed: int = 1
    separate: bool = True
    vision_seconds: float = VISION_SECONDS
    model_seconds: float = MODEL_SECONDS
    storage_seconds: float = STORAGE_SECONDS
    spread: float = 0.25
    faulty: float = 0.0
    sliding: bool = field(default=False)
    poll_seconds: float = POLL_SECONDS
    daily_usd: float | None = None


UNPACED = Quotas(10, None)


def _up(number: int, divisor: int) -> int:
    """The quotient, rounded up."""
    return -(-number // divisor)


def bursts(images: int) -> Iterator[Scenario]:
    """All images at once, with the capacity that is deployed for the quotas."""
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
    """From too few instances to too many."""
    quotas = Quotas.times(100)
    for count in SWEEP:
        yield Scenario(f"{count} instances, quotas x100", images, quotas, Capacity.of(count))


def bad_days(images: int) -> Iterator[Scenario]:
    """A quota of calls a second, and services that refuse calls at random."""
    one = Capacity.of(1)
    several = replace(one, instances=5)
    yield Scenario("10 calls a second, 1 instance", images, UNPACED, one)
    yield Scenario("10 calls a second, 5 instances", images, UNPACED, several)
    for share in (0.1, 0.3):
        name = f"{share:.0%} refused, no quota, 1 instance"
        yield Scenario(name, images, Quotas(None, None), one, faulty=share)


def budgets(images: int) -> Iterator[Scenario]:
    """A daily budget for a fifth of a burst."""
    daily = usd(1, 1) * images / 5
    for factor in FACTORS[1:]:
        quotas = Quotas.times(factor)
        capacity = Capacity.deployed(quotas)
        name = f"burst, quotas x{factor}, {daily:.2f} USD a day"
        yield Scenario(name, images, quotas, capacity, daily_usd=daily)


def local(images: int, quotas: Quotas, *, sliding: bool, storage_seconds: float) -> Scenario:
    """As the embedded host runs the app with `--exactly`: one process, no batches."""
    capacity = Capacity(1, Rules.exactly(LOCAL_PLACES), Rules.exactly(LOCAL_PLACES))
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
