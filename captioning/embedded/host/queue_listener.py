"""Takes messages off a storage queue and keeps the host's promises about them.

At most `limit` at a time; hidden from others while they run; deleted on success; visible again on
failure; after the last attempt moved to the poison queue. A message whose host died comes back
when its time runs out. Left out: the real host's batches (`limit` is their sum) and its singletons.
"""

from __future__ import annotations

import binascii
import logging
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage

from captioning.embedded.host.storage import Outage, send


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


@dataclass(frozen=True)
class Received:
    """One message: `body` is decoded, `raw` is what the storage account holds."""

    raw: QueueMessage
    body: bytes

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return int(self.raw.dequeue_count or 1)


@dataclass(frozen=True)
class Work:
    """What a listener does: `run` raises where the attempt failed, `name` is for the log."""

    name: Callable[[Received], str]
    run: Callable[[Received], None]
    poison: Callable[[Received], QueueClient | None]


@dataclass(frozen=True)
class Terms:
    """How a listener treats messages; times in seconds."""

    limit: int
    attempts: int
    retry_delay: float
    base64: bool
    hidden: int = 60


logger = logging.getLogger(__name__)
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
LARGEST_BATCH = 32


class QueueListener:
    """One queue, one thread that fetches, up to `limit` that work, one that keeps them hidden."""

    def __init__(self, queue: QueueClient, work: Work, terms: Terms, outage: Outage) -> None:
        self._queue = queue
        self._work = work
        self._terms = terms
        self._outage = outage
        self._workers = ThreadPoolExecutor(terms.limit, thread_name_prefix="message")
        self._leases: set[MessageLease] = set()
        self._changed = threading.Condition()
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._idle = threading.Event()
        self._threads = [
            threading.Thread(target=loop, daemon=True) for loop in (self._fetch, self._renew)
        ]

    def start(self) -> None:
        """Starts to fetch."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Somebody put a message on the queue: look at once."""
        self._awake.set()

    def stop_fetching(self) -> None:
        """Takes no more messages; those under way go on."""
        self._stopping.set()
        self._awake.set()
        with self._changed:
            self._changed.notify_all()

    def stop(self, timeout: float) -> None:
        """Waits for messages under way; those that stay are other hosts' soon."""
        self._threads[0].join(timeout)
        with self._changed:
            idle = self._changed.wait_for(lambda: not self._leases, timeout)
        self._idle.set()
        self._workers.shutdown(wait=idle)
        for thread in self._threads:
            thread.join(timeout)

    def _fetch(self) -> None:
        pause = SHORTEST_PAUSE
        while room := self._room():
            batch = self._receive(room)
            for message in batch:
                with suppress(AzureError):
                    self._begin(message)
            if batch:
                pause = SHORTEST_PAUSE
                continue
            woken = self._awake.wait(pause)
            self._awake.clear()
            pause = SHORTEST_PAUSE if woken else min(pause * 1.5, LONGEST_PAUSE)

    def _room(self) -> int:
        """How many messages may be taken; waits for the first, 0 at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping.is_set() or len(self._leases) < self._terms.limit
            )
            return 0 if self._stopping.is_set() else self._terms.limit - len(self._leases)

    def _receive(self, room: int) -> list[QueueMessage]:
        count = min(room, LARGEST_BATCH)
        where = f"the queue {self._queue.queue_name}"
        try:
            messages = list(
                self._queue.receive_messages(
                    messages_per_page=count,
                    max_messages=count,
                    visibility_timeout=self._terms.hidden,
                )
            )
        except ResourceNotFoundError:
            messages = []
        except AzureError as error:
            self._outage.began(where, error)
            return []
        self._outage.ended(where)
        return messages

    def _begin(self, message: QueueMessage) -> None:
        lease = MessageLease(self._queue, message, self._terms.hidden)
        if self._stopping.is_set():
            lease.release(0)
            return
        with self._changed:
            self._leases.add(lease)
        self._workers.submit(self._finish, lease)

    def _finish(self, lease: MessageLease) -> None:
        """One attempt at a message, to its end."""
        try:
            self._attempt(lease)
        except AzureError as error:
            reason = str(error).partition("\n")[0]
            logger.warning("A message of %s will come again: %s", self._queue.queue_name, reason)
        finally:
            lease.end()
            with self._changed:
                self._leases.discard(lease)
                self._changed.notify_all()
            self._awake.set()

    def _attempt(self, lease: MessageLease) -> None:
        try:
            received = self._decode(lease.message)
        except (binascii.Error, ValueError):
            logger.exception("A message of %s is not base64", self._queue.queue_name)
            undecoded = Received(lease.message, lease.message.content.encode())
            self._give_up(lease, undecoded)
            return
        poisonable = self._work.poison(received) is not None
        if poisonable and received.attempt > self._terms.attempts:
            self._give_up(lease, received)
        elif self._succeeds(received):
            lease.delete()
        elif received.attempt >= self._terms.attempts:
            self._give_up(lease, received)
        elif poisonable:
            lease.release(self._terms.retry_delay)

    def _succeeds(self, received: Received) -> bool:
        try:
            self._work.run(received)
        except Exception:
            attempt = f"attempt {received.attempt} of {self._terms.attempts}"
            logger.exception("%s raised an exception (%s)", self._work.name(received), attempt)
            return False
        return True

    def _give_up(self, lease: MessageLease, received: Received) -> None:
        """To the poison queue. Where there is none, the message stays hidden for its time."""
        poison = self._work.poison(received)
        if poison is None:
            return
        send(poison, str(received.raw.content))
        lease.delete()
        logger.error("%s: message moved to %s", self._work.name(received), poison.queue_name)

    def _decode(self, message: QueueMessage) -> Received:
        text = str(message.content)
        body = b64decode(text, validate=True) if self._terms.base64 else text.encode()
        return Received(message, body)

    def _renew(self) -> None:
        while not self._idle.wait(self._terms.hidden / 4):
            with self._changed:
                leases = list(self._leases)
            for lease in leases:
                try:
                    lease.renew()
                except AzureError as error:
                    self._outage.began(f"the queue {self._queue.queue_name}", error)
