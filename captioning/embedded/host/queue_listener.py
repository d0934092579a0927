"""Takes messages from a storage queue, with the guarantees of the real host.

At most `limit` messages are processed at a time. A message is hidden from other hosts while it is
processed, deleted when that succeeds, and visible again when it fails; after its last attempt it is
moved to the poison queue. If the host dies, the message is visible again when its visibility
timeout ends. There are no batches as in the real host (`limit` is the sum of theirs), and no
singletons.
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

logger = logging.getLogger("captioning.embedded.host")

SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
"""Seconds between two looks at an empty queue: they grow from the one to the other."""
LARGEST_BATCH = 32
"""Messages that Queue Storage returns at most for one request."""


@dataclass(frozen=True)
class Received:
    """A message: `raw` as the storage account has it, and its decoded `body`."""

    raw: QueueMessage
    body: bytes

    @property
    def attempt(self) -> int:
        """Which attempt at the message this is; the first is 1."""
        return int(self.raw.dequeue_count or 1)


@dataclass(frozen=True)
class Work:
    """What a listener does with messages.

    `run` raises if the attempt fails. `name` is the function's name, for the log. `poison` is the
    queue for messages that keep failing, or None.
    """

    name: Callable[[Received], str]
    run: Callable[[Received], None]
    poison: Callable[[Received], QueueClient | None]


@dataclass(frozen=True)
class Terms:
    """How a listener treats messages: how many at a time, how many attempts at each, the seconds
    between two attempts, whether bodies are base64, and for how many seconds a message that is
    being processed is hidden."""

    limit: int
    attempts: int
    retry_delay: float
    base64: bool
    hidden: int = 60


class QueueListener:
    """Processes the messages of one queue.

    One thread fetches messages, up to `limit` threads process them, and one renews their leases.
    """

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
        """Starts to fetch messages."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Looks at the queue at once, because a message was put there."""
        self._awake.set()

    def stop_fetching(self) -> None:
        """Fetches no more messages; processing of those already fetched continues."""
        self._stopping.set()
        self._awake.set()
        with self._changed:
            self._changed.notify_all()

    def stop(self, timeout: float) -> None:
        """Waits up to `timeout` seconds for messages that are being processed. Leases are no longer
        renewed then, so that another host can take what is left."""
        self._threads[0].join(timeout)
        with self._changed:
            idle = self._changed.wait_for(lambda: not self._leases, timeout)
        self._idle.set()
        self._workers.shutdown(wait=idle)
        for thread in self._threads:
            thread.join(timeout)

    def _fetch(self) -> None:
        """The thread that fetches: looks less often while the queue stays empty."""
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
        """How many messages may be fetched. Waits until that is at least one; 0 when stopping."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping.is_set() or len(self._leases) < self._terms.limit
            )
            return 0 if self._stopping.is_set() else self._terms.limit - len(self._leases)

    def _receive(self, room: int) -> list[QueueMessage]:
        """Up to so many messages, hidden from now on; none while storage does not answer."""
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
        """Hands a message to a worker thread; releases it if the listener is stopping."""
        lease = MessageLease(self._queue, message, self._terms.hidden)
        if self._stopping.is_set():
            lease.release(0)
            return
        with self._changed:
            self._leases.add(lease)
        self._workers.submit(self._finish, lease)

    def _finish(self, lease: MessageLease) -> None:
        """Makes one attempt at a message, and ends its lease whatever happens."""
        try:
            self._attempt(lease)
        except AzureError as error:
            reason = str(error).partition("\n")[0]
            logger.warning("A message of %s will be retried: %s", self._queue.queue_name, reason)
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
        """Moves the message to the poison queue. If there is none, it is visible again when its
        visibility timeout ends."""
        poison = self._work.poison(received)
        if poison is None:
            return
        # Sent before it is deleted: a crash in between leaves two copies, and not none.
        send(poison, str(received.raw.content))
        lease.delete()
        logger.error("%s: message moved to %s", self._work.name(received), poison.queue_name)

    def _decode(self, message: QueueMessage) -> Received:
        text = str(message.content)
        body = b64decode(text, validate=True) if self._terms.base64 else text.encode()
        return Received(message, body)

    def _renew(self) -> None:
        """The thread that renews leases, until all messages are done."""
        while not self._idle.wait(self._terms.hidden / 4):
            with self._changed:
                leases = list(self._leases)
            for lease in leases:
                try:
                    lease.renew()
                except AzureError as error:
                    self._outage.began(f"the queue {self._queue.queue_name}", error)


class MessageLease:
    """The lease on one message: hides it until it is deleted or released.

    Every change of a message needs the pop receipt that the change before it returned, so a lock
    makes changes one after the other.
    """

    def __init__(self, queue: QueueClient, message: QueueMessage, hidden: int) -> None:
        self.message = message
        self._queue = queue
        self._hidden = hidden
        self._receipt = str(message.pop_receipt)
        self._renew_at = time.monotonic() + hidden / 2
        self._lock = threading.Lock()
        self._ended = False

    def renew(self) -> None:
        """Hides the message for another `hidden` seconds, if half of them are over."""
        with self._lock:
            if not self._ended and time.monotonic() >= self._renew_at:
                self._update(self._hidden)
                self._renew_at = time.monotonic() + self._hidden / 2

    def delete(self) -> None:
        """Deletes the message, which is done."""
        with self._lock:
            self._ended = True
            with suppress(ResourceNotFoundError):
                self._queue.delete_message(str(self.message.id), self._receipt)

    def release(self, delay: float) -> None:
        """Makes the message visible again in `delay` seconds."""
        with self._lock:
            self._ended = True
            self._update(int(delay))

    def end(self) -> None:
        """Ends renewals; the message is visible again when its visibility timeout ends."""
        with self._lock:
            self._ended = True

    def _update(self, hidden: int) -> None:
        with suppress(ResourceNotFoundError):
            updated = self._queue.update_message(
                str(self.message.id), pop_receipt=self._receipt, visibility_timeout=hidden
            )
            self._receipt = str(updated.pop_receipt)
