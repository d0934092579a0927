"""How long a service asks its clients to wait, by the headers of its answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_HEADERS = (
    ("retry-after-ms", 1_000),
    ("retry-after", 1),
    ("llm_provider-retry-after-ms", 1_000),
    ("llm_provider-retry-after", 1),
)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from `retry-after-ms`, else from `Retry-After` (seconds or an HTTP date), also as the
    LiteLLM gateway passes them on; None if there is none. Names are in lower case or `headers`
    ignores case."""
    for name, unit in _HEADERS:
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return _until(headers.get("retry-after", ""))


def _until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
