"""The parts of host.json this host obeys, with the real host's defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from captioning.embedded.host.functions import HostStartError


@dataclass(frozen=True)
class HostConfig:
    """Limits and attempts of the triggers, the routes' prefix."""

    route_prefix: str
    blob_limit: int
    blob_attempts: int
    queue_limit: int
    queue_attempts: int
    queue_retry_delay: float
    queue_base64: bool

    @classmethod
    def read(cls, host_json: Mapping[str, Any], settings: Mapping[str, str]) -> HostConfig:
        """From host.json; `AzureFunctionsJobHost__extensions__…` settings win, as in the cloud."""

        def value(section: str, name: str, default: Any) -> Any:
            override = settings.get(f"AzureFunctionsJobHost__extensions__{section}__{name}")
            found = host_json.get("extensions", {}).get(section, {}).get(name)
            return override or (default if found is None else found)

        batch = _count("queues.batchSize", value("queues", "batchSize", 16))
        extra = value("queues", "newBatchThreshold", batch // 2)
        cores = os.cpu_count() or 1
        return cls(
            route_prefix=str(value("http", "routePrefix", "api")).strip("/"),
            blob_limit=_count(
                "blobs.maxDegreeOfParallelism", value("blobs", "maxDegreeOfParallelism", 8 * cores)
            ),
            blob_attempts=_count(
                "blobs.poisonBlobThreshold", value("blobs", "poisonBlobThreshold", 5)
            ),
            queue_limit=batch + _count("queues.newBatchThreshold", extra, least=0),
            queue_attempts=_count("queues.maxDequeueCount", value("queues", "maxDequeueCount", 5)),
            queue_retry_delay=_seconds(value("queues", "visibilityTimeout", "00:00:00")),
            queue_base64=str(value("queues", "messageEncoding", "base64")).lower() != "none",
        )


def thread_count(settings: Mapping[str, str]) -> int:
    """How many threads run plain functions; the host gives a worker 1000 where nothing is set."""
    name = "PYTHON_THREADPOOL_THREAD_COUNT"
    return _count(name, settings.get(name) or 1000)


def _count(name: str, value: Any, least: int = 1) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = least - 1
    if number < least:
        raise HostStartError(f"{name}: {value!r} is not a whole number from {least}")
    return number


def _seconds(span: str) -> float:
    """A TimeSpan such as `00:00:30`."""
    try:
        hours, minutes, seconds = (float(part) for part in span.split(":"))
    except ValueError:
        raise HostStartError(f"queues.visibilityTimeout: {span!r} is not hh:mm:ss") from None
    return timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()
