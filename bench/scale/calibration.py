"""The real pipeline at a small scale, to hold the model against: a process of the app under the
embedded host, Azurite, and services at the wire with the model's own quotas."""

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

from bench.scale.quota import Quota, Unlimited
from captioning.domain.record import FINAL
from captioning.storage.accounts import TableAccount
from captioning.storage.blob_account import BlobAccount
from testing.azurite import Azurite
from testing.factories.numbered_pictures import numbered
from testing.harness.running_app import RunningApp
from testing.services.both import LocalServices, is_chat
from testing.services.chat_replies import throttled
from testing.services.server import Received, Reply
from testing.services.vision_refusals import gateway

REFUSAL_SECONDS = 0.05
LONGEST_SECONDS = 900.0


@dataclass
class Measured:
    """Seconds from the first call to the last final record, calls, refused calls, ends."""

    seconds: float = 0.0
    calls: dict[str, int] = field(default_factory=lambda: {"vision": 0, "model": 0})
    refused: dict[str, int] = field(default_factory=lambda: {"vision": 0, "model": 0})
    ends: dict[str, int] = field(default_factory=dict)


class QuotaServices:
    """An `Answer` for WireServer: both services, each with a latency and a quota."""

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
            wish = self._quotas[name].take(now)
            self.measured.calls[name] += 1
            self.measured.refused[name] += wish > 0
            seconds = self._seconds[name] * self._chance.uniform(1 - self._spread, 1 + self._spread)
        if wish:
            return replace(REFUSED[name](wish), delay=REFUSAL_SECONDS)
        return replace(self._healthy(received), delay=seconds)


def _vision_refuses(wish: float) -> Reply:
    plain = gateway(429, "Rate limit is exceeded.").reply
    return replace(plain, headers=plain.headers | {"Retry-After": str(math.ceil(wish))})


def _model_refuses(wish: float) -> Reply:
    plain = throttled(retry_after=str(math.ceil(wish)))
    return replace(plain, headers=plain.headers | {"retry-after-ms": str(int(wish * 1000) + 1)})


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
    """Uploads so many different pictures, starts the app, and waits until all have ended."""
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
            container.write(f"{number}.png", picture, "", "application/octet-stream")
        tables = TableAccount(connection_string=azurite.connection_string)
        stack.callback(tables.close)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(
            RunningApp("embedded", azurite.connection_string, folder, name, services=services)
        )
        _wait(tables, name, images, services)
    return services.measured


def _wait(tables: TableAccount, name: str, images: int, services: QuotaServices) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    table = tables.table(name)
    while time.monotonic() < deadline:
        ended: dict[str, int] = {}
        for row in table.query("PartitionKey ge @all", {"all": "0"}, ["status"]):
            if row["status"] in FINAL:
                ended[row["status"]] = ended.get(row["status"], 0) + 1
        if sum(ended.values()) == images and services.first:
            services.measured.seconds = time.monotonic() - services.first
            services.measured.ends = ended
            return
        time.sleep(0.25)
    raise TimeoutError(f"{images} images have not ended in {LONGEST_SECONDS:.0f} s")
