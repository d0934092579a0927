"""Which service an operator has to mend, as runs found it.

Runs and health checks are on different instances in the cloud, so it is noted in a table.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Literal

from captioning.errors import ServiceDeferred, StorageUnavailable
from captioning.ports import StateStore

log = logging.getLogger(__name__)

Service = Literal["vision", "model", "webhook"]
SERVICES: tuple[Service, ...] = ("vision", "model")
"""What every app has."""
KIND = "service"
NOTE_EVERY = timedelta(seconds=30)
LOOK_EVERY = timedelta(minutes=1)


class ServiceHealth:
    """Notes of broken services; safe to share between threads. Noting never fails a run."""

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
        """Notes that an operator has to act, and since when; once in 30 seconds at most."""
        now = self._now()
        if not self._is_due(self._noted, service, NOTE_EVERY):
            return
        with _quietly(service):
            before = self._state.get(KIND, service)
            note = {
                "code": error.code,
                "message": error.message,
                "since": before["since"] if before else now.isoformat(),
                "at": now.isoformat(),
            }
            self._state.put(KIND, service, note)
        with self._lock:
            self._looked.pop(service, None)  # the next answer looks at once

    def answered(self, service: Service) -> None:
        """Takes back what was noted: the service works. Looks once a minute at most for what
        another process has left, and at once for what this one has."""
        if not self._is_due(self._looked, service, LOOK_EVERY):
            return
        with _quietly(service):
            if self._state.get(KIND, service):
                self._state.delete(KIND, service)

    def troubles(self) -> dict[str, str]:
        """The code of what is wrong, by service. StorageUnavailable when it cannot be read."""
        notes = {service: self._state.get(KIND, service) for service in self.services}
        return {service: note["code"] for service, note in notes.items() if note}

    def _is_due(self, last: dict[Service, datetime], service: Service, every: timedelta) -> bool:
        """Whether it is time again; where it is, the next time is counted from now."""
        now = self._now()
        with self._lock:
            if service in last and now - last[service] < every:
                return False
            last[service] = now
            return True


@contextmanager
def _quietly(service: Service) -> Iterator[None]:
    try:
        yield
    except StorageUnavailable as error:
        log.warning("The health of %s could not be noted: %s", service, error.message)
