"""How runs call the services, and whether frames of a burst share captions: by the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from captioning.app.storage import StorageAccount
from captioning.app.timeouts import WAIT_SECONDS
from captioning.config.settings import Settings
from captioning.domain.usage import Bill
from captioning.images.likeness import is_near
from captioning.resilience.calls import Calls, Memory
from captioning.resilience.gate import Gate
from captioning.resilience.retries import RetryingCalls, WaitBudget
from captioning.resilience.service_health import Service, ServiceHealth
from captioning.reuse.bursts import Bursts
from captioning.reuse.cache import CallMaker
from captioning.reuse.entries import ReuseStore
from captioning.reuse.table import BurstTable
from captioning.storage.broken_rows import Skipped, log_skipped


def bursts(
    settings: Settings,
    storage: StorageAccount,
    store: ReuseStore,
    now: Callable[[], datetime],
    skipped: Skipped = log_skipped,
) -> Bursts | None:
    """None where the setting turns them off, or where no text is read in pictures: two pages with
    different text could not be told apart then."""
    reads = settings.vision_provider != "none" and "read" in settings.vision_features
    if not settings.burst_seconds or not reads:
        return None
    return Bursts(
        frames=BurstTable(storage.table("bursts"), skipped),
        store=store,
        is_near=is_near,
        window=timedelta(seconds=settings.burst_seconds),
        now=now,
    )


def call_maker(health: ServiceHealth | None = None) -> CallMaker:
    """Makes the calls of a run, to Vision and to the model, with one wait budget for both. All
    runs share the two gates."""
    vision = service_gate("Azure AI Vision", "vision", health)
    model = service_gate("The caption service", "model", health)

    def calls(
        before: Callable[[], None], billed: Callable[[Bill], None], memory: Memory
    ) -> tuple[Calls, Calls]:
        patience = WaitBudget(WAIT_SECONDS)
        return (
            RetryingCalls(vision, patience, before, billed, memory=memory),
            RetryingCalls(model, patience, before, billed),
        )

    return calls


def service_gate(title: str, service: Service, health: ServiceHealth | None) -> Gate:
    """The limiter of a service's calls; `health`, where given, notes failures and answers."""
    if health is None:
        return Gate(title)
    return Gate(
        title,
        on_broken=partial(health.broken, service),
        on_answer=partial(health.answered, service),
    )
