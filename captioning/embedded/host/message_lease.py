"""One received message: ours while it is hidden from the others."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage


class MessageLease:
    """Every change of a message needs the receipt of the one before: one at a time, in here."""

    def __init__(self, queue: QueueClient, message: QueueMessage, hidden: int) -> None:
        self.message = message
        self._queue = queue
        self._hidden = hidden
        self._receipt = str(message.pop_receipt)
        self._renew_at = time.monotonic() + hidden / 2
        self._lock = threading.Lock()
        self._ended = False

    def renew(self) -> None:
        """Hides the message for another while, where half of the last one is over."""
        with self._lock:
            if not self._ended and time.monotonic() >= self._renew_at:
                self._update(self._hidden)
                self._renew_at = time.monotonic() + self._hidden / 2

    def delete(self) -> None:
        """The message is dealt with."""
        with self._lock:
            self._ended = True
            with suppress(ResourceNotFoundError):
                self._queue.delete_message(str(self.message.id), self._receipt)

    def release(self, delay: float) -> None:
        """The message may be taken again after `delay` seconds."""
        with self._lock:
            self._ended = True
            self._update(int(delay))

    def end(self) -> None:
        """No more renewals."""
        with self._lock:
            self._ended = True

    def _update(self, hidden: int) -> None:
        with suppress(ResourceNotFoundError):
            updated = self._queue.update_message(
                str(self.message.id), pop_receipt=self._receipt, visibility_timeout=hidden
            )
            self._receipt = str(updated.pop_receipt)
