"""The pipeline as the app runs it, put together from its parts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from captioning.app.burst_parts import bursts
from captioning.app.call_maker import call_maker
from captioning.app.storage import StorageAccount
from captioning.budget.ledger import Ledger
from captioning.budget.prices import PriceList
from captioning.config.settings import Settings
from captioning.images.picture import inspect
from captioning.pipeline.examiner import Examiner
from captioning.pipeline.pipeline import CaptionPipeline, Catalog
from captioning.providers import Providers
from captioning.records import tag_vocabulary
from captioning.resilience.service_health import ServiceHealth
from captioning.reuse.cache import Contents
from captioning.reuse.table import ReuseTable
from captioning.support.score import Witness


def caption_pipeline(
    settings: Settings,
    storage: StorageAccount,
    providers: Providers,
    *,
    prices: PriceList,
    health: ServiceHealth,
    ledger: Ledger,
    catalog: Catalog,
    forget: Callable[[str], object],
    worker: str,
    now: Callable[[], datetime],
) -> CaptionPipeline:
    """What captions images by these settings; `worker` names the process."""
    lease = timedelta(seconds=settings.claim_seconds)
    contents = _contents(settings, storage, providers, prices, health, ledger, now)
    examiner = Examiner(
        images=storage.images,
        inspect=inspect,
        contents=contents,
        witness=Witness(settings.vision_features, settings.support_threshold),
        max_image_bytes=settings.max_image_bytes,
        vocabulary=tag_vocabulary.load(settings.tag_vocabulary_file),
    )
    return CaptionPipeline(
        images=storage.images,
        examiner=examiner,
        catalog=catalog,
        deferrals=storage.deferrals,
        ledger=ledger,
        forget=forget,
        worker=worker,
        lease=lease,
        now=now,
    )


def _contents(
    settings: Settings,
    storage: StorageAccount,
    providers: Providers,
    prices: PriceList,
    health: ServiceHealth,
    ledger: Ledger,
    now: Callable[[], datetime],
) -> Contents:
    works = ReuseTable(storage.table("reuse"))
    return Contents(
        works=works,
        providers=providers,
        ledger=ledger,
        price=partial(prices.usage, deployment=settings.caption_model),
        calls=call_maker(health),
        lease=timedelta(seconds=settings.claim_seconds),
        now=now,
        bursts=bursts(settings, storage, works, now),
    )
