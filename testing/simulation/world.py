"""The parts of a simulated app, in memory and with a clock of its own: services, store,
processes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from captioning.budget.ledger import Ledger
from captioning.domain.record import Captioning, CaptionInput, CaptionText, ImageAnalysis, Tag
from captioning.domain.usage import NOTHING, Bill, Usage
from captioning.errors import (
    BadResponse,
    ContentFiltered,
    CorruptImage,
    ServiceDeferred,
)
from captioning.images.rendition import InputLimits, Rendition
from captioning.images.sketch import Sketch
from captioning.maintenance.cleanup import RecordCleanup
from captioning.maintenance.reconcile import Reconciler
from captioning.pipeline.pipeline import CaptionPipeline
from captioning.ports import EntityTable, RecordWriter
from captioning.providers import Providers
from captioning.records.catalog import Catalog
from captioning.records.layout import Layout
from captioning.records.trash import Trash
from captioning.resilience.calls import Calls, Memory
from captioning.reuse.cache import CaptionCache
from captioning.search.dictionary import Dictionary
from captioning.support.score import SupportScorer
from captioning.webhook.outbox import OutboxCatalog
from testing.fakes.faults import Clock, FaultInjector
from testing.fakes.stores import (
    MemoryDeferrals,
    MemoryImages,
    MemoryNotices,
    MemoryReuse,
    MemoryState,
    MemoryTable,
    MemoryThumbnails,
    MemoryUsage,
)

LEASE = timedelta(seconds=120)
FORGET_AFTER = timedelta(minutes=10)
ATTEMPTS = 5
"""How often the host delivers an event or a message."""
VISION, MODEL = "vision", "model"
DOG, CAT, CORRUPT, FILTERED, ODD = b"dog", b"cat", b"corrupt", b"filtered", b"odd"


@dataclass(frozen=True)
class FakePicture:
    """A picture whose bytes name its content."""

    data: bytes
    format: str = "JPEG"
    width: int = 8
    height: int = 8
    frames: int = 1
    color: str = "sRGB"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def sketch(self) -> Sketch:
        return Sketch(0)

    def for_model(self) -> Rendition:
        return Rendition(self.data, "image/jpeg", 8, 8, 1, (8, 8))

    def for_service(self, limits: InputLimits) -> Rendition:
        return self.for_model()


def inspect(data: bytes) -> FakePicture:
    if data == CORRUPT:
        raise CorruptImage("Cannot be decoded.")
    return FakePicture(data)


@dataclass
class Services:
    """Both services. `trouble` is the error that each raises now; `paid` counts answers by service
    and content."""

    trouble: dict[str, ServiceDeferred] = field(default_factory=dict)
    paid: Counter[tuple[str, bytes]] = field(default_factory=Counter)
    on_paid: Callable[[str, bytes], object] = lambda *_: None

    def answer(self, service: str, data: bytes) -> bytes:
        """The answer for a picture, which is paid for from here on."""
        if service in self.trouble:
            raise self.trouble[service]
        self.paid[service, data] += 1
        self.on_paid(service, data)
        return data


class Vision:
    """A Vision that returns the picture's bytes as its tag."""

    identity = "vision"
    limits = InputLimits(frozenset({"JPEG"}), 100)

    def __init__(self, services: Services) -> None:
        self._services = services

    def analyze(self, image: Rendition, calls: Calls) -> ImageAnalysis:
        seen = calls.ask(lambda: self._services.answer(VISION, image.data))
        calls.billed(Bill(features=("tags",)))
        return ImageAnalysis("fake", 8, 8, tags=(Tag(seen.decode(), 1.0),))


class Model:
    """A model that returns the picture's bytes as its caption."""

    identity = "model"

    def __init__(self, services: Services) -> None:
        self._services = services

    def caption(
        self, image: Rendition | None, evidence: ImageAnalysis | None, calls: Calls
    ) -> Captioning:
        assert image
        assert evidence is None or evidence.tags[0].name == image.data.decode()
        seen = calls.ask(lambda: self._services.answer(MODEL, image.data))
        calls.billed(Bill(model="fake", input_tokens=1))
        if seen == FILTERED:
            raise ContentFiltered("Refused.")
        if seen == ODD:
            raise BadResponse("Not JSON.")
        return Captioning("fake", {"en": CaptionText(f"A {seen.decode()}.", seen.decode())})


@dataclass
class SingleAttemptCalls:
    """Calls without a limiter or retries."""

    before: Callable[[], None]
    billed: Callable[[Bill], None]
    memory: Memory

    def ask(self, call: Callable[[], Any]) -> Any:
        self.before()
        return call()


def price(bill: Bill) -> Usage:
    """The price of a bill."""
    return price_of(VISION if bill.features else MODEL)


def price_of(service: str) -> Usage:
    """The price of one answer of a service."""
    if service == VISION:
        return Usage(vision_calls=1, usd=1.0)
    return Usage(input_tokens=1, usd=0.5)


class InlineExecutor:
    """An executor without threads, so that the order of calls is always the same."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001 - as any executor does
            future.set_exception(error)
        return future

    def shutdown(self) -> None:
        """Has no effect: there are no threads."""


class Store:
    """Everything that outlives a process."""

    def __init__(
        self, daily_usd: float | None, caption_input: CaptionInput, *, has_webhook: bool = False
    ) -> None:
        self.now = Clock()
        self.notices = MemoryNotices(self.now) if has_webhook else None
        self.daily_usd, self.caption_input = daily_usd, caption_input
        self.table, self.words = MemoryTable(self.now), MemoryTable(self.now)
        self.trash = MemoryTable(self.now)
        self.reuse, self.usage, self.state = MemoryReuse(), MemoryUsage(), MemoryState()
        self.images, self.deferrals = MemoryImages(self.now), MemoryDeferrals(self.now)
        self.services = Services()


def catalog_over(table: EntityTable, words: EntityTable, now: Callable[[], datetime]) -> Catalog:
    """A catalogue that reads with one thread, so that a sequence of calls can be replayed."""
    return Catalog(table, Dictionary(words, now=now), Layout(table), readers=1, now=now)


class Process:
    """One worker over the shared store. All its calls pass through its own fault injector."""

    def __init__(self, store: Store, name: str) -> None:
        self.name, self._usage = name, store.usage
        self.injector = injector = FaultInjector()
        images, deferrals = injector.wrap(store.images), injector.wrap(store.deferrals)
        self.catalog = catalog_over(
            injector.wrap(store.table), injector.wrap(store.words), store.now
        )
        endings: RecordWriter = self.catalog
        if store.notices:
            endings = OutboxCatalog(self.catalog, injector.wrap(store.notices), store.now)
        self.ledger = Ledger(injector.wrap(store.usage), name, store.now, store.daily_usd)
        services = injector.wrap(store.services)
        providers = Providers(Vision(services), Model(services), store.caption_input)
        # no thread of its own, so that a sequence of calls can be replayed
        providers._beside = InlineExecutor()  # type: ignore[assignment]
        trash = Trash(injector.wrap(store.trash), store.now)
        cleanup = RecordCleanup(
            images, endings, MemoryThumbnails(), deferrals, store.now, trash=trash
        )
        self.forget, self.poisoned = cleanup.forget, cleanup.poisoned
        cache = CaptionCache(
            store=injector.wrap(store.reuse),
            providers=providers,
            ledger=self.ledger,
            price=price,
            calls=lambda *terms: (SingleAttemptCalls(*terms), SingleAttemptCalls(*terms)),
            lease=LEASE,
            now=store.now,
        )
        self.fingerprint = providers.fingerprint
        self.pipeline = CaptionPipeline(
            images=images,
            inspect=inspect,
            cache=cache,
            scorer=SupportScorer(("tags",), 0.0),
            catalog=endings,
            quiet=self.catalog,
            queue=deferrals,
            ledger=self.ledger,
            forget=lambda path: void(cleanup.forget(path)),
            max_image_bytes=100,
            worker=name,
            lease=LEASE,
            now=store.now,
            stopwatch=lambda: store.now().timestamp(),
            uniform=lambda low, high: (low + high) / 2,
        )
        self.reconciler = Reconciler(
            images=images,
            catalog=self.catalog,
            binding=Layout(injector.wrap(store.table)),
            queue=deferrals,
            state=injector.wrap(store.state),
            forget=cleanup.forget,
            forget_after=FORGET_AFTER,
            lease=LEASE,
            now=store.now,
            page=2,
            readers=1,
        )

    def unbooked(self) -> Usage:
        """The usage that the process has counted but not saved yet."""
        stored = {
            day: tally for (day, name), tally in self._usage.held.items() if name == self.name
        }
        missing = NOTHING
        for day, tally in self.ledger._tallies.items():
            missing += Usage(usd=tally.usd - (stored[day].usd if day in stored else 0.0))
        return missing


def void(_: object) -> None:
    """Drops a result."""
