"""What is simulated: how many images come, which quotas they meet, how much the app does at a time.

Figures of the app and its infrastructure are read from there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from bench.scale.host import DEFAULT_DEGREE, Rules, host_json
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
