"""A whole pipeline over real storage, with both services on local servers and a clock of its
own."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from captioning.budget.ledger import Ledger
from captioning.budget.prices import PriceList
from captioning.captioner.client import OpenAICaptioner
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionInput, StoredRecord
from captioning.domain.usage import Bill
from captioning.images.likeness import is_near
from captioning.images.picture import inspect
from captioning.maintenance.cleanup import RecordCleanup
from captioning.pipeline.pipeline import CaptionPipeline
from captioning.providers import Providers
from captioning.resilience.calls import Memory
from captioning.resilience.gate import Gate
from captioning.resilience.retries import RetryingCalls, WaitBudget
from captioning.reuse.bursts import Bursts
from captioning.reuse.cache import CallMaker, CaptionCache
from captioning.support.score import SupportScorer
from captioning.vision.client import VisionClient
from testing.fakes.faults import Clock
from testing.fakes.stores import MemoryDeferrals, MemoryUsage
from testing.harness.storage import Storage
from testing.services.chat import KEY as CHAT_KEY
from testing.services.chat import ChatService
from testing.services.server import Received, Reply, WireServer
from testing.services.vision import LocalVision

LEASE = timedelta(seconds=120)
VISION_KEY = "local-vision-key"


class Service:
    """A service on a local server. `on_request` runs before each answer, for what happens during a
    call."""

    def __init__(self, answer: Callable[[Received], Reply], stack: ExitStack) -> None:
        self.on_request: Callable[[], object] = lambda: None
        self._answer = answer
        self._server = stack.enter_context(WireServer(self._answered))
        self.url, self.received, self.faults = (
            self._server.url,
            self._server.received,
            self._server.faults,
        )

    def once(self, action: Callable[[], object]) -> None:
        """Runs the action before the next answer only."""
        first = threading.Lock()
        self.on_request = lambda: action() if first.acquire(blocking=False) else None

    def _answered(self, received: Received) -> Reply:
        self.on_request()
        return self._answer(received)


class PipelineLab:
    """Storage, Vision and the model, and pipelines over them as `build_services` makes them."""

    def __init__(self, storage: Storage, stack: ExitStack) -> None:
        self.storage = storage
        self.local_vision, self.chat_service = LocalVision(key=VISION_KEY), ChatService()
        self.vision = Service(self.local_vision, stack)
        self.model = Service(self.chat_service, stack)
        self._stack = stack
        self.clock = Clock()
        self.deferrals = MemoryDeferrals(self.clock)
        self.usage = MemoryUsage()
        self._workers = itertools.count(1)

    @property
    def calls(self) -> tuple[int, int]:
        """Requests to Vision and to the model so far."""
        return len(self.vision.received), len(self.model.received)

    def analyzer(self, **changes: Any) -> VisionClient:
        """A client of the local Vision."""
        keywords: dict[str, Any] = {"endpoint": self.vision.url, "key": VISION_KEY}
        client = VisionClient(**(keywords | changes))
        self._stack.callback(client.close)
        return client

    def captioner(self, **changes: Any) -> OpenAICaptioner:
        """A client of the local model."""
        keywords: dict[str, Any] = {
            "base_url": f"{self.model.url}/openai/v1/",
            "api_key": CHAT_KEY,
            "model": "gpt-4o-mini",
            "languages": ("en", "de"),
        }
        client = OpenAICaptioner(**(keywords | changes))
        self._stack.callback(client.close)
        return client

    def pipeline(
        self,
        caption_input: CaptionInput = "image+tags",
        *,
        analyzer: VisionClient | None = None,
        captioner: OpenAICaptioner | None = None,
        vision: bool = True,
        images: Any = None,
        inspect: Callable[[bytes], Any] = inspect,
        max_image_bytes: int = 50 * 1024 * 1024,
        patience: float = 0.0,
        budget: float | None = None,
        bursts: float = 0.0,
        threshold: float = 0.0,
        **changes: Any,
    ) -> CaptionPipeline:
        """The pipeline of a process.

        `patience` is the wait budget of a run in seconds, `bursts` the window of bursts. A run
        takes 1.5 seconds by its stopwatch. The time is that of the lab's clock, which moves on when
        a run waits for a service.
        """
        watch = iter(range(1_000))
        providers = Providers(
            (analyzer or self.analyzer()) if vision else None,
            captioner or self.captioner(),
            caption_input,
        )
        self._stack.callback(providers.close)
        worker = f"worker{next(self._workers)}"
        ledger = Ledger(self.usage, worker, self.clock, budget)
        kept = changes.pop("store", None) or self.storage.reuse
        frames = changes.pop("frames", None) or self.storage.bursts
        cache = CaptionCache(
            store=kept,
            providers=providers,
            ledger=ledger,
            price=PriceList.load().usage,
            calls=self._calls(patience),
            lease=LEASE,
            now=self.clock,
            bursts=self._bursts(frames, kept, bursts) if bursts else None,
        )
        keywords: dict[str, Any] = {
            "images": images or self.storage.images,
            "inspect": inspect,
            "cache": cache,
            "scorer": SupportScorer(("tags", "objects", "read"), threshold),
            "catalog": self.storage.catalog,
            "queue": self.deferrals,
            "ledger": ledger,
            "forget": self.cleanup.forget,
            "max_image_bytes": max_image_bytes,
            "worker": worker,
            "lease": LEASE,
            "now": self.clock,
            "stopwatch": lambda: next(watch) * 1.5,
            "uniform": lambda _, high: high,
        }
        return CaptionPipeline(**(keywords | changes))

    @property
    def cleanup(self) -> RecordCleanup:
        """The cleanup of records, over the same storage."""
        storage = self.storage
        return RecordCleanup(
            storage.images, storage.catalog, storage.thumbnails, self.deferrals, self.clock
        )

    def stored(self, path: str) -> StoredRecord:
        """The catalogue's record of a path."""
        found = self.storage.catalog.get(path)
        assert found is not None
        return found

    def due(self) -> list[CaptionMessage]:
        """Takes the visible messages off the queue."""
        messages = self.deferrals.due()
        for message in messages:
            self.deferrals.held.remove(message)
        return [message.wake for message in messages]

    def _bursts(self, frames: Any, kept: Any, seconds: float) -> Bursts:
        return Bursts(
            frames=frames,
            store=kept,
            is_near=is_near,
            window=timedelta(seconds=seconds),
            now=self.clock,
        )

    def _calls(self, seconds: float) -> CallMaker:
        def monotonic() -> float:
            return self.clock().timestamp()

        gates = [
            Gate(
                name,
                clock=monotonic,
                wait=lambda _, pause: self.clock.advance(pause),
                uniform=lambda _, high: high,
            )
            for name in ("Vision", "The model")
        ]

        def calls(
            before: Callable[[], None], billed: Callable[[Bill], None], memory: Memory
        ) -> tuple[RetryingCalls, RetryingCalls]:
            patience = WaitBudget(seconds, monotonic)
            vision, model = (
                RetryingCalls(
                    gate, patience, before, billed, memory=memory, sleep=self.clock.advance
                )
                for gate in gates
            )
            return vision, model

        return calls


def on(path: str) -> CaptionMessage:
    """The message for the event of a blob."""
    return CaptionMessage(path)
