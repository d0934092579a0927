"""When a deferred image is tried again, and when it is given up."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from captioning.errors import BudgetSpent, ContentInProgress, DeploymentBroken, ServiceDeferred

FIRST = 5.0
FIRST_FOR_A_TWIN = 1.0
LONGEST = 2 * 3600.0
"""Seconds; also the most that a service's own wish is obeyed for in one go."""
LONGEST_FOR_A_REPAIR = 15 * 60.0
"""What an operator has mended is to be noticed soon."""
GIVE_UP = timedelta(hours=24)


def delay(
    error: ServiceDeferred, attempts: int, uniform: Callable[[float, float], float] = random.uniform
) -> float:
    """Seconds until the next attempt after `attempts` of them: the service's wish, or twice as long
    as last time, whichever is longer; jittered, so that images put off together do not come back
    together."""
    first = FIRST_FOR_A_TWIN if isinstance(error, ContentInProgress) else FIRST
    backoff = first * 2.0 ** min(attempts - 1, 16)
    wanted = max(error.retry_after or 0.0, backoff * uniform(0.5, 1.0))
    longest = LONGEST_FOR_A_REPAIR if isinstance(error, DeploymentBroken) else LONGEST
    return min(wanted * uniform(1.0, 1.1), longest)


def waiting_since(error: ServiceDeferred, since: datetime | None, now: datetime) -> datetime:
    """From when on the day counts after which an image is given up. Waiting for money does not."""
    return now if since is None or isinstance(error, BudgetSpent) else since


def is_hopeless(error: ServiceDeferred, since: datetime, now: datetime) -> bool:
    """Whether it has been tried for long enough."""
    return not isinstance(error, BudgetSpent) and now - since >= GIVE_UP
