"""A message that was received, what is done with it and on which terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from azure.storage.queue import QueueClient, QueueMessage


@dataclass(frozen=True)
class Received:
    """One message: `body` is decoded, `raw` is what the storage account holds."""

    raw: QueueMessage
    body: bytes

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return int(self.raw.dequeue_count or 1)


@dataclass(frozen=True)
class Work:
    """What a listener does: `run` raises where the attempt failed, `name` is for the log."""

    name: Callable[[Received], str]
    run: Callable[[Received], None]
    poison: Callable[[Received], QueueClient | None]


@dataclass(frozen=True)
class Terms:
    """How a listener treats messages; times in seconds."""

    limit: int
    attempts: int
    retry_delay: float
    base64: bool
    hidden: int = 60
