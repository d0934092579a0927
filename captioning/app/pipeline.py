"""The pipeline as the app runs it, put together from its parts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from captioning.app.storage import StorageAccount
from captioning.app.timeouts import WAIT_SECONDS
from captioning.budget.ledger import Ledger
from captioning.budget.prices import PriceList
from captioning.config.settings import Settings
from captioning.domain.usage import Bill
from captioning.images.likeness import is_near
from captioning.images.picture import inspect
from captioning.pipeline.pipeline import CaptionPipeline
from captioning.ports import RecordWriter
from captioning.providers import Providers
from captioning.records import tag_vocabulary
from captioning.resilience.calls import Calls, Memory
from captioning.resilience.gate import Gate
from captioning.resilience.retries import RetryingCalls, WaitBudget
from captioning.resilience.service_health import Service, ServiceHealth
from captioning.reuse.bursts import Bursts
from captioning.reuse.cache import CallMaker, CaptionCache
from captioning.reuse.entries import ReuseStore
from captioning.reuse.table import BurstTable, ReuseTable
from captioning.support.score import SupportScorer


def bursts(
    settings: Settings, storage: StorageAccount, store: ReuseStore, now: Callable[[], datetime]
) -> Bursts | None:
    """None where the setting turns them off, or where nobody reads the text in pictures: whether
    two pages say the same cannot be told then."""
    reads = settings.vision_provider != "none" and "read" in settings.vision_features
    if not settings.burst_seconds or not reads:
        return None
    return Bursts(
        frames=BurstTable(storage.table("bursts")),
        store=store,
        is_near=is_near,
        window=timedelta(seconds=settings.burst_seconds),
        now=now,
    )


def call_maker(health: ServiceHealth | None = None) -> CallMaker:
    """What makes a run's calls; `health`, where there is one, learns what they meet."""
    vision = _gate("Azure AI Vision", "vision", health)
    model = _gate("The caption service", "model", health)

    def calls(
        before: Callable[[], None], billed: Callable[[Bill], None], memory: Memory
    ) -> tuple[Calls, Calls]:
        patience = WaitBudget(WAIT_SECONDS)
        return (
            RetryingCalls(vision, patience, before, billed, memory=memory),
            RetryingCalls(model, patience, before, billed),
        )

    return calls


def _gate(title: str, service: Service, health: ServiceHealth | None) -> Gate:
    if health is None:
        return Gate(title)
    return Gate(
        title,
        on_broken=partial(health.broken, service),
        on_answer=partial(health.answered, service),
    )


def caption_pipeline(
    settings: Settings,
    storage: StorageAccount,
    providers: Providers,
    *,
    prices: PriceList,
    health: ServiceHealth,
    ledger: Ledger,
    catalog: RecordWriter,
    forget: Callable[[str], object],
    worker: str,
    now: Callable[[], datetime],
) -> CaptionPipeline:
    """What captions images by these settings; `worker` names the process."""
    return CaptionPipeline(
        images=storage.images,
        inspect=inspect,
        cache=_cache(settings, storage, providers, prices, health, ledger, now),
        scorer=SupportScorer(settings.vision_features, settings.support_threshold),
        catalog=catalog,
        queue=storage.deferrals,
        ledger=ledger,
        forget=forget,
        max_image_bytes=settings.max_image_bytes,
        worker=worker,
        lease=timedelta(seconds=settings.claim_seconds),
        vocabulary=tag_vocabulary.load(settings.tag_vocabulary_file),
        now=now,
    )


def _cache(
    settings: Settings,
    storage: StorageAccount,
    providers: Providers,
    prices: PriceList,
    health: ServiceHealth,
    ledger: Ledger,
    now: Callable[[], datetime],
) -> CaptionCache:
    store = ReuseTable(storage.table("reuse"))
    return CaptionCache(
        store=store,
        providers=providers,
        ledger=ledger,
        price=partial(prices.usage, deployment=settings.caption_model),
        calls=call_maker(health),
        lease=timedelta(seconds=settings.claim_seconds),
        now=now,
        bursts=bursts(settings, storage, store, now),
    )
