"""When a deferred image is tried again, and when it is given up."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from captioning.errors import BudgetSpent, ContentInProgress, DeploymentBroken, ServiceDeferred

FIRST = 5.0
FIRST_FOR_A_TWIN = 1.0
"""Seconds; for an image whose bytes another run is captioning."""
LONGEST = 2 * 3600.0
"""Seconds; also the cap on a service's own `Retry-After`."""
LONGEST_FOR_A_REPAIR = 15 * 60.0
"""Seconds; shorter, so that an operator's fix is noticed soon."""
GIVE_UP = timedelta(hours=24)


def delay(
    error: ServiceDeferred, attempts: int, uniform: Callable[[float, float], float] = random.uniform
) -> float:
    """Seconds until the next attempt after `attempts` of them.

    The longer of the service's `Retry-After` and a delay that doubles with each attempt. Both are
    jittered, so that images that were deferred together do not return together.
    """
    first = FIRST_FOR_A_TWIN if isinstance(error, ContentInProgress) else FIRST
    backoff = first * 2.0 ** min(attempts - 1, 16)
    wanted = max(error.retry_after or 0.0, backoff * uniform(0.5, 1.0))
    longest = LONGEST_FOR_A_REPAIR if isinstance(error, DeploymentBroken) else LONGEST
    return min(wanted * uniform(1.0, 1.1), longest)


def waiting_since(error: ServiceDeferred, since: datetime | None, now: datetime) -> datetime:
    """The start of the day after which an image is given up. Waiting for the budget does not
    count."""
    return now if since is None or isinstance(error, BudgetSpent) else since


def is_hopeless(error: ServiceDeferred, since: datetime, now: datetime) -> bool:
    """Whether the image has been tried for long enough to give it up."""
    return not isinstance(error, BudgetSpent) and now - since >= GIVE_UP
