"""Helpers of one kind, some of which work at the same time."""

from __future__ import annotations

import threading

from captioning.errors import ServiceUnavailable
from captioning.images.helpers.channel import Said
from captioning.images.helpers.process import Helper, Kind


class Lane:
    """Asks one of `slots` helpers; safe to share between threads. Helpers start when they are
    needed, and a helper that fails is replaced.

    A task that turns out to be slow leaves its slot to others; as many as `spares` can do so. A
    task may take `seconds`, and may wait for a slot for as long.
    """

    def __init__(self, kind: Kind, slots: int, spares: int, seconds: int) -> None:
        self._kind = kind
        self._seconds = seconds
        self._slots = threading.Semaphore(slots)
        self._spares = threading.Semaphore(spares)
        self._idle: list[Helper] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def ask(self, said: Said, data: bytes) -> tuple[Said, bytes]:
        """The answer of a helper. OutOfTime, OutOfMemory or Died where it has none, and
        ServiceUnavailable where all are busy for too long or none starts."""
        if not self._slots.acquire(timeout=self._seconds):
            raise ServiceUnavailable("Many pictures are being decoded. Try again.")
        held = self._slots

        def leave_slot() -> None:
            nonlocal held
            if self._spares.acquire(blocking=False):
                held.release()
                held = self._spares

        helper: Helper | None = None
        try:
            helper = self._take()
            answer = helper.ask(said, data, self._seconds, leave_slot)
            # One that has run out of memory may have lost some of it for good.
            self._put_back(helper, is_done=held is self._spares or "lacks" in answer[0])
            return answer
        except BaseException:
            if helper:
                helper.end()
            raise
        finally:
            held.release()

    def pids(self) -> list[int]:
        """The processes that wait for a task."""
        with self._lock:
            return [helper.pid for helper in self._idle]

    def close(self) -> None:
        """Ends the helpers; those that work end with their task."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for helper in idle:
            helper.end()

    def _take(self) -> Helper:
        """The helper that was used last, so that no more are kept than are needed."""
        with self._lock:
            while self._idle:
                helper = self._idle.pop()
                if helper.is_alive():
                    return helper
                helper.end()
        return Helper(self._kind)

    def _put_back(self, helper: Helper, *, is_done: bool) -> None:
        with self._lock:
            if not self._is_closed and not is_done:
                self._idle.append(helper)
                return
        helper.end()
