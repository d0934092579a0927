"""One image on its way."""

from __future__ import annotations

from datetime import datetime


class Image:
    """What is known of it. There may be a million of them."""

    __slots__ = ("arrived", "attempts", "deliveries", "is_analysed", "since")

    def __init__(self, arrived: float) -> None:
        self.arrived = arrived
        self.deliveries = self.attempts = 0
        self.is_analysed = False
        self.since: datetime | None = None
