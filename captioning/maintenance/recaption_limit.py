"""How many captions people may request anew in an hour, over all instances; in `captionsstate`."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from captioning.errors import RecaptionLimitReached
from captioning.ports import StateStore
from captioning.resilience.optimistic import until_saved

KIND, NAME = "recaptions", "hour"
ID_LENGTH = 8
"""Characters of a request's id that are kept: 2,500 of them fit into a document."""


class RecaptionLimit:
    """Counts the requests of each hour (UTC) that are charged."""

    def __init__(self, state: StateStore, most: int, now: Callable[[], datetime]) -> None:
        self._state = state
        self._most = most
        self._now = now

    def take(self, request: str) -> None:
        """Counts the request with this id, once an hour however often it is sent;
        RecaptionLimitReached where the hour has no room for it."""
        until_saved(lambda: self._take(request[:ID_LENGTH]))

    def _take(self, request: str) -> None:
        now = self._now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        known, version = self._state.version(KIND, NAME, _read)
        requests = known[1] if known and known[0] == hour.isoformat() else []
        if request in requests:
            return
        if len(requests) >= self._most:
            left = hour + timedelta(hours=1) - now
            raise RecaptionLimitReached(self._most, math.ceil(left.total_seconds()))
        # Conditional: of two instances that count at the same time, one counts again.
        counted = {"hour": hour.isoformat(), "requests": [*requests, request]}
        self._state.replace(KIND, NAME, counted, version)


def _read(document: Any) -> tuple[str, list[str]]:
    """The hour of a document, and the ids of its requests."""
    return str(document["hour"]), [str(request) for request in document["requests"]]
