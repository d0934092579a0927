"""What looks for bursts, put together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from captioning.app.storage import StorageAccount
from captioning.config.settings import Settings
from captioning.images.likeness import is_near
from captioning.reuse.burst_table import BurstTable
from captioning.reuse.bursts import Bursts
from captioning.reuse.claim import Works


def bursts(
    settings: Settings, storage: StorageAccount, works: Works, now: Callable[[], datetime]
) -> Bursts | None:
    """None where the setting turns them off, or where nobody reads the text in pictures: whether
    two pages say the same cannot be told then."""
    reads = settings.vision_provider != "none" and "read" in settings.vision_features
    if not settings.burst_seconds or not reads:
        return None
    return Bursts(
        frames=BurstTable(storage.table("bursts")),
        works=works,
        is_near=is_near,
        window=timedelta(seconds=settings.burst_seconds),
        now=now,
    )
