"""When a deferred image is tried again, and when it is given up."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from captioning.errors import (
    BlobRefused,
    BudgetSpent,
    ContentInProgress,
    DeploymentBroken,
    ServiceDeferred,
)

FIRST = 5.0
FIRST_FOR_A_TWIN = 1.0
"""Seconds; for an image whose bytes another run is captioning."""
LONGEST = 2 * 3600.0
"""Seconds; also the cap on a service's own `Retry-After`."""
LONGEST_FOR_A_REPAIR = 15 * 60.0
"""Seconds; shorter, so that an operator's fix is noticed soon."""
FIRST_FOR_A_BLOB = 3600.0
LONGEST_FOR_A_BLOB = 6 * 24 * 3600.0
"""Seconds; for a blob that storage refuses until somebody changes it. A queue hides a message for
seven days at most."""
GIVE_UP = timedelta(hours=24)
GIVE_UP_A_BLOB = timedelta(days=10)
FIRST_FOR_STORAGE, LONGEST_FOR_STORAGE = 15.0, 3600.0
"""Seconds; when storage itself does not answer."""


def delay(
    error: ServiceDeferred, attempts: int, uniform: Callable[[float, float], float] = random.uniform
) -> float:
    """Seconds until the next attempt after `attempts` of them.

    The longer of the service's `Retry-After` and a delay that doubles with each attempt. Both are
    jittered, so that images that were deferred together do not return together.
    """
    if isinstance(error, BlobRefused):
        return _doubled(FIRST_FOR_A_BLOB, attempts, LONGEST_FOR_A_BLOB) * uniform(1.0, 1.1)
    first = FIRST_FOR_A_TWIN if isinstance(error, ContentInProgress) else FIRST
    backoff = _doubled(first, attempts)
    wanted = max(error.retry_after or 0.0, backoff * uniform(0.5, 1.0))
    longest = LONGEST_FOR_A_REPAIR if isinstance(error, DeploymentBroken) else LONGEST
    return min(wanted * uniform(1.0, 1.1), longest)


def storage_pause(
    failures: int, uniform: Callable[[float, float], float] = random.uniform
) -> float:
    """Seconds until the next attempt after storage has failed so many times in a row."""
    return _doubled(FIRST_FOR_STORAGE, failures, LONGEST_FOR_STORAGE) * uniform(1.0, 2.0)


def waiting_since(error: ServiceDeferred, since: datetime | None, now: datetime) -> datetime:
    """The start of the time after which an image is given up. Waiting for the budget does not
    count."""
    return now if since is None or isinstance(error, BudgetSpent) else since


def is_hopeless(error: ServiceDeferred, since: datetime, now: datetime) -> bool:
    """Whether the image has been tried for long enough to give it up."""
    longest = GIVE_UP_A_BLOB if isinstance(error, BlobRefused) else GIVE_UP
    return not isinstance(error, BudgetSpent) and now - since >= longest


def _doubled(first: float, attempts: int, longest: float = math.inf) -> float:
    """Twice as long after each attempt."""
    return min(first * 2.0 ** min(max(attempts, 1) - 1, 16), longest)
