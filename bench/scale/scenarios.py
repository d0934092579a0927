"""What is simulated: how many images come, which quotas they meet, how much the app does at a time.

Figures of the app and its infrastructure are read from there.
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
"""Of a run outside of the services: half before its first call, half after its last."""
HOST_LIFE = 7 * 86_400.0
"""Seconds that a message of the host's own queue lasts: what storage gives one by default."""
POLL_SECONDS = 1.0
"""Until an idle listener looks at its queue again, about."""


@cache
def bicep(name: str, file: str = "app.bicep") -> int:
    """A whole number that the infrastructure sets, as a variable or as a parameter's default."""
    text = (ROOT / "infra" / file).read_text("utf-8")
    [found] = re.findall(rf"^(?:var|param) {name} (?:int )?= (?:.*\? )?(\d+)", text, re.MULTILINE)
    return int(found)


def tokens_per_image() -> int:
    """What a call of the model counts against its quota: its own tokens and the most that it may be
    answered."""
    text = (ROOT / "infra/app.bicep").read_text("utf-8")
    [own] = re.findall(r"^var tokensPerImage = (\d+) \+ captionMaxTokens", text, re.MULTILINE)
    return int(own) + bicep("captionMaxTokens")


def most_tokens() -> int:
    """CAPTION_MAX_TOKENS as it is by default."""
    [found] = [setting.default for setting in SETTINGS if setting.name == "CAPTION_MAX_TOKENS"]
    return int(found)


@dataclass(frozen=True, slots=True)
class Quotas:
    """Calls of Vision a second, images of the model in each `window` seconds; None: no limit."""

    vision: int | None
    images: int | None
    window: float = 60.0

    @classmethod
    def times(cls, factor: int) -> Quotas:
        """The infrastructure's defaults, so many times over."""
        tokens = bicep("modelTokensPerMinute", "main.bicep") * factor
        vision = bicep("visionCallsPerSecond", "main.bicep") * factor
        return cls(vision, tokens // tokens_per_image())

    @property
    def rate(self) -> float:
        """Images a second that they allow."""
        rates = [float(self.vision)] if self.vision else []
        rates += [self.images / self.window] if self.images else []
        return min(rates, default=float("inf"))

    def least_seconds(self, images: int) -> float:
        """Before which so many images cannot be done, whoever asks: the last one's window or
        second must have begun."""
        vision = (images - 1) // self.vision if self.vision else 0
        model = (images - 1) // self.images * self.window if self.images else 0
        return float(max(vision, model))


@dataclass(frozen=True, slots=True)
class Capacity:
    """Instances of each of the two functions that pay, and what each takes at a time."""

    instances: int
    blobs: Rules
    messages: Rules

    @classmethod
    def deployed(cls, quotas: Quotas) -> Capacity:
        """What infra/app.bicep works out of the quotas."""
        assert quotas.vision
        assert quotas.images
        per_minute = min(quotas.vision * 60, quotas.images)
        share = max(per_minute * bicep("secondsPerImage") * 2 // 60, 1)
        most = bicep("mostAtATime")
        instances = min((share + most - 1) // most, bicep("mostInstances"))
        degree = min(share // instances, most)
        messages = min(degree, 12)
        threshold = messages // 3
        rules = Rules.of_messages(messages - threshold, threshold)
        return cls(instances, Rules.of_blobs(degree), rules)

    @classmethod
    def of(cls, instances: int) -> Capacity:
        """So many instances as host.json has them."""
        return cls(instances, *host_json())

    @classmethod
    def host_defaults(cls, instances: int) -> Capacity:
        """What one gets who sets nothing; there are no messages."""
        return cls(instances, Rules.of_blobs(DEFAULT_DEGREE), Rules.of_messages(16, 8))


@dataclass(frozen=True, slots=True)
class Scenario:
    """`per_second`: how fast images come; None is all at once, as fast as Event Grid delivers.
    `separate`: events and messages are on instances of their own, as Flex Consumption has it."""

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
