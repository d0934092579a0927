"""Which services an operator has to fix, as runs found them.

In the cloud, runs and health checks are on different instances, so the marks are in a table.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

from captioning.errors import ServiceDeferred, StorageUnavailable
from captioning.ports import StateStore

log = logging.getLogger("captioning.resilience")

Service = Literal["vision", "model", "webhook"]
SERVICES: tuple[Service, ...] = ("vision", "model")
"""Those that every app has; the webhook is optional."""
KIND = "service"
NOTE_EVERY = timedelta(seconds=30)
LOOK_EVERY = timedelta(minutes=1)


class ServiceHealth:
    """Marks services as broken; safe to share between threads.

    `broken` and `answered` never fail a run: when storage fails, they only log that.
    """

    def __init__(
        self,
        state: StateStore,
        now: Callable[[], datetime],
        services: tuple[Service, ...] = SERVICES,
    ) -> None:
        self._state = state
        self._now = now
        self.services = services
        self._lock = threading.Lock()
        self._noted: dict[Service, datetime] = {}
        self._looked: dict[Service, datetime] = {}

    def broken(self, service: Service, error: ServiceDeferred) -> None:
        """Marks the service as broken, and since when; at most once in 30 seconds."""
        now = self._now()
        if not self._is_due(self._noted, service, NOTE_EVERY):
            return
        with _quietly(service):
            before = self._state.get(KIND, service, _note)
            note = {
                "code": error.code,
                "message": error.message,
                "since": before["since"] if before else now.isoformat(),
                "at": now.isoformat(),
            }
            self._state.put(KIND, service, note)
        with self._lock:
            self._looked.pop(service, None)  # the next answer looks for the mark at once

    def answered(self, service: Service) -> None:
        """Clears the mark, because the service works. Looks at most once a minute for a mark that
        another process has left, and at once for one of its own."""
        if not self._is_due(self._looked, service, LOOK_EVERY):
            return
        with _quietly(service):
            if self._state.get(KIND, service):
                self._state.delete(KIND, service)

    def troubles(self) -> dict[str, str]:
        """The error code of each broken service. StorageUnavailable when it cannot be read."""
        notes = {service: self._state.get(KIND, service, _note) for service in self.services}
        return {service: note["code"] for service, note in notes.items() if note}

    def _is_due(self, last: dict[Service, datetime], service: Service, every: timedelta) -> bool:
        """Whether `every` has passed since the last time; if so, the time starts again now."""
        now = self._now()
        with self._lock:
            if service in last and now - last[service] < every:
                return False
            last[service] = now
            return True


def _note(document: Any) -> dict[str, str]:
    return {"code": str(document["code"]), "since": str(document["since"])}


@contextmanager
def _quietly(service: Service) -> Iterator[None]:
    try:
        yield
    except StorageUnavailable as error:
        log.warning("The health of %s could not be recorded: %s", service, error.message)
