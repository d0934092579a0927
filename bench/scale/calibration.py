"""Measures the app at a small scale and compares it with the simulation.

The app runs under the embedded host with exactly so many images at work (`--exactly`) and with
Azurite, against local services that have the quotas of
the simulation.
"""

from __future__ import annotations

import io
import math
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean

from bench.scale import scenarios
from bench.scale.model import Model
from bench.scale.quota import Fixed, Quota, Sliding, Unlimited
from bench.scale.scenarios import MODEL_SECONDS, VISION_SECONDS, Quotas, Scenario
from captioning.domain.record import FINAL
from captioning.records.table import RECORD
from captioning.storage.accounts import BlobAccount, TableAccount
from testing.azurite import Azurite
from testing.factories.numbered_pictures import numbered
from testing.harness.running_app import RunningApp
from testing.services.both import LocalServices, is_chat
from testing.services.chat_replies import throttled
from testing.services.server import Received, Reply
from testing.services.vision_refusals import gateway

REFUSAL_SECONDS = 0.05
LONGEST_SECONDS = 900.0
SEEDS = range(8)
FREE_IMAGES, IMAGES = 96, 150


@dataclass
class Measured:
    """Seconds from the first call to the last final record; calls and refused calls by service; how
    many images ended in each status."""

    seconds: float = 0.0
    calls: dict[str, int] = field(default_factory=lambda: {"vision": 0, "model": 0})
    refused: dict[str, int] = field(default_factory=lambda: {"vision": 0, "model": 0})
    ends: dict[str, int] = field(default_factory=dict)


class QuotaServices:
    """Answers for WireServer: both services, each with a latency and a quota."""

    def __init__(
        self, vision: Quota, model: Quota, seconds: tuple[float, float], spread: float
    ) -> None:
        self.measured = Measured()
        self.first: float | None = None
        self._quotas = {"vision": vision, "model": model}
        self._seconds = dict(zip(("vision", "model"), seconds, strict=True))
        self._spread = spread
        self._healthy = LocalServices()
        self._chance = random.Random(1)
        self._lock = threading.Lock()

    def __call__(self, received: Received) -> Reply:
        name = "model" if is_chat(received) else "vision"
        with self._lock:
            now = time.monotonic()
            self.first = self.first or now
            retry_after = self._quotas[name].take(now)
            self.measured.calls[name] += 1
            self.measured.refused[name] += retry_after > 0
            seconds = self._seconds[name] * self._chance.uniform(1 - self._spread, 1 + self._spread)
        if retry_after:
            return replace(REFUSED[name](retry_after), delay=REFUSAL_SECONDS)
        return replace(self._healthy(received), delay=seconds)


def _vision_refuses(retry_after: float) -> Reply:
    plain = gateway(429, "Rate limit is exceeded.").reply
    return replace(plain, headers=plain.headers | {"Retry-After": str(math.ceil(retry_after))})


def _model_refuses(retry_after: float) -> Reply:
    plain = throttled(retry_after=str(math.ceil(retry_after)))
    return replace(
        plain, headers=plain.headers | {"retry-after-ms": str(int(retry_after * 1000) + 1)}
    )


REFUSED: Mapping[str, Callable[[float], Reply]] = {
    "vision": _vision_refuses,
    "model": _model_refuses,
}


def measure(
    images: int,
    *,
    vision: Quota | None = None,
    model: Quota | None = None,
    seconds: tuple[float, float],
    spread: float = 0.25,
) -> Measured:
    """Uploads `images` different pictures, starts the app, and waits for their final records."""
    services = QuotaServices(vision or Unlimited(), model or Unlimited(), seconds, spread)
    name = f"scale{uuid.uuid4().hex[:12]}"
    with ExitStack() as stack:
        azurite = stack.enter_context(Azurite())
        account = BlobAccount(connection_string=azurite.connection_string)
        stack.callback(account.close)
        container = account.images(name)
        container.create()
        for number in range(images):
            picture = io.BytesIO(numbered(number))
            container.write(f"{number}.png", picture, "", "application/octet-stream", replaces=None)
        tables = TableAccount(connection_string=azurite.connection_string)
        stack.callback(tables.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        app = RunningApp(
            "embedded",
            azurite.connection_string,
            folder,
            name,
            services=services,
            exactly=scenarios.LOCAL_PLACES,
        )
        stack.enter_context(app)
        _wait(tables, name, images, services)
    return services.measured


def _wait(tables: TableAccount, name: str, images: int, services: QuotaServices) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    table = tables.table(f"{name}catalog")
    while time.monotonic() < deadline:
        ended: dict[str, int] = {}
        for row in table.between("0", "9"):
            if row.get("kind") == RECORD and row["status"] in FINAL:
                ended[row["status"]] = ended.get(row["status"], 0) + 1
        if sum(ended.values()) == images and services.first:
            services.measured.seconds = time.monotonic() - services.first
            services.measured.ends = ended
            return
        time.sleep(0.25)
    raise TimeoutError(f"{images} images have not ended in {LONGEST_SECONDS:.0f} s")


@dataclass(frozen=True, slots=True)
class Case:
    """Quotas of both services, or None."""

    name: str
    vision: int | None
    model: int | None
    window: float = 1.0

    @property
    def sliding(self) -> bool:
        """Whether the model counts calls in a sliding window, and not in fixed ones."""
        return self.window == 1.0

    def quotas(self) -> Quotas:
        """The quotas, for the simulation."""
        return Quotas(self.vision, self.model, self.window)

    def measured(self) -> Measured:
        """Measures the app."""
        kind = Sliding if self.sliding else Fixed
        model: Quota | None = kind(self.model, self.window) if self.model else None
        vision = Sliding(self.vision) if self.vision else None
        return measure(IMAGES, vision=vision, model=model, seconds=(VISION_SECONDS, MODEL_SECONDS))


CASES = (
    Case("model: 3 calls a second", 10, 3),
    Case("Vision: 4 calls a second", 4, None),
    Case("model: 30 calls in each 10 s", 10, 30, 10.0),
)


def fitted() -> float:
    """Seconds of an image outside of the services, from a run without quotas. It is the only figure
    of the simulation that depends on the machine."""
    free = measure(FREE_IMAGES, seconds=(VISION_SECONDS, MODEL_SECONDS))
    each = free.seconds * scenarios.LOCAL_PLACES / FREE_IMAGES
    return max(each - VISION_SECONDS - MODEL_SECONDS, 0.0)


def predicted(case: Case, storage_seconds: float) -> tuple[float, float, float]:
    """What the simulation predicts, averaged over seeds: seconds, calls of Vision, calls of the
    model."""
    plan = scenarios.local(
        IMAGES, case.quotas(), sliding=case.sliding, storage_seconds=storage_seconds
    )
    found = [_run(replace(plan, seed=seed)) for seed in SEEDS]
    seconds, vision, model = (mean(figures) for figures in zip(*found, strict=True))
    return seconds, vision, model


def _run(plan: Scenario) -> tuple[float, float, float]:
    model = Model(plan)
    model.model.whole_seconds = False  # the local service answers in milliseconds
    model.run()
    seconds = model.counts.last_end - plan.storage_seconds / 2
    return seconds, model.vision.calls, model.model.calls


def compared() -> str:
    """A table in markdown with the measured and the predicted figures."""
    storage_seconds = fitted()
    lines = [
        f"Outside of the services: {storage_seconds:.2f} s an image.\n",
        "| quota | seconds | simulated | off | Vision's calls | simulated | model's | simulated |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in CASES:
        real, (seconds, vision, model) = case.measured(), predicted(case, storage_seconds)
        off = seconds / real.seconds - 1
        lines.append(
            f"| {case.name} | {real.seconds:.1f} | {seconds:.1f} | {off:+.0%}"
            f" | {real.calls['vision']} | {vision:.0f} | {real.calls['model']} | {model:.0f} |"
        )
    return "\n".join(lines) + "\n"
