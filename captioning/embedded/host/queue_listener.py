"""Takes messages from a storage queue, with the guarantees of the real host.

A message is hidden from other hosts while it is at work, deleted when that succeeds, and visible
again when it fails; after its last attempt it is moved to the poison queue. If the host dies, the
message is visible again when the time is over for which it is hidden.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import azure.functions as func
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.functions import queue as azure_functions_queue
from azure.storage.queue import QueueClient, QueueMessage

from captioning.embedded.host.functions import Function, Invoker, Terms
from captioning.embedded.host.loops import Loop
from captioning.embedded.host.storage import Outage, StorageAccount, decoded, reason, send

logger = logging.getLogger("captioning.embedded.host")

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two looks at an empty queue: they double from the one to the other."""


class Message:
    """A message at work. `body` is None where the text is not base64 and has to be.

    It is leased: hidden until it is done, released, or its time is over. Every change of a message
    needs the pop receipt that the change before it returned, so a lock makes changes one after the
    other.
    """

    def __init__(self, queue: QueueClient, raw: QueueMessage, terms: Terms) -> None:
        self.raw = raw
        self.text = str(raw.content or "")
        self.attempt = int(raw.dequeue_count or 1)
        self.body = decoded(self.text) if terms.base64 else self.text.encode()
        self._queue = queue
        self._hidden = terms.hidden
        self._receipt = str(raw.pop_receipt)
        self._renew_at = time.monotonic() + terms.hidden / 2
        self._lock = threading.Lock()
        self._is_over = False

    def renew(self) -> None:
        """Hides the message anew, if half of its time is over."""
        with self._lock:
            if not self._is_over and time.monotonic() >= self._renew_at:
                self._hide(self._hidden)
                self._renew_at = time.monotonic() + self._hidden / 2

    def done(self) -> None:
        """Deletes the message."""
        with self._lock, suppress(ResourceNotFoundError):
            self._is_over = True
            self._queue.delete_message(str(self.raw.id), self._receipt)

    def release(self, delay: float) -> None:
        """Makes the message visible again in `delay` seconds."""
        with self._lock:
            self._is_over = True
            self._hide(int(delay))

    def leave(self) -> None:
        """Renews it no more: it is visible again when its time is over."""
        with self._lock:
            self._is_over = True

    def _hide(self, seconds: int) -> None:
        with suppress(ResourceNotFoundError):
            updated = self._queue.update_message(
                str(self.raw.id), pop_receipt=self._receipt, visibility_timeout=seconds
            )
            self._receipt = str(updated.pop_receipt)


@dataclass(frozen=True)
class Work:
    """What to do with one message: `run` raises if the attempt fails; `poison` takes the message
    after its last attempt. Without one it stays hidden for the rest of its time, for ever again.
    `name` is the function's, for the log."""

    name: str
    run: Callable[[], object]
    poison: QueueClient | None


class QueueListener(Loop):
    """Processes the messages of one queue, each on one thread."""

    def __init__(
        self, queue: QueueClient, work: Callable[[Message], Work], terms: Terms, outage: Outage
    ) -> None:
        super().__init__(self._fetch)
        self._queue = queue
        self._work = work
        self._terms = terms
        self._outage = outage
        self._where = f"the queue {queue.queue_name}"
        self._looks = 0
        self._at_work: set[Message] = set()
        self._ended = threading.Condition()
        self._workers = ThreadPoolExecutor(terms.batches.most, thread_name_prefix="message")
        # On a thread of its own, so that it also works while storage keeps `_fetch` waiting.
        self._renewals = Loop(self._renew)

    def start(self) -> None:
        """Starts to fetch messages."""
        self._renewals.start()
        super().start()

    def stop(self, timeout: float) -> bool:
        """Waits up to `timeout` seconds for messages at work. Those that are left are no longer
        renewed then, so that another host can take them."""
        super().stop(timeout)
        with self._ended:
            idle = self._ended.wait_for(lambda: not self._at_work, timeout)
        self._renewals.stop_fetching()
        self._workers.shutdown(wait=idle)
        return self._renewals.stop(timeout) and idle

    def wake(self) -> None:
        """Looks at the queue at once: a message was put there, or a place is free."""
        self._looks = 0
        super().wake()

    def _fetch(self) -> float:
        """Takes a batch, if one is due."""
        count = self._terms.batches.due(len(self._at_work))
        if not count:
            return LONGEST_PAUSE
        batch = self._receive(count)
        for raw in batch:
            with suppress(AzureError):
                self._begin(Message(self._queue, raw, self._terms))
        self._looks = 0 if batch else self._looks + 1
        return pause(self._looks)

    def _renew(self) -> float:
        with self._ended:
            messages = list(self._at_work)
        for message in messages:
            try:
                message.renew()
            except AzureError as error:
                self._outage.began(self._where, error)
        return self._terms.hidden / 4

    def _receive(self, most: int) -> list[QueueMessage]:
        """Up to so many messages, hidden from now on; none while storage does not answer."""
        hidden = self._terms.hidden
        try:
            pages = self._queue.receive_messages(
                messages_per_page=most, max_messages=most, visibility_timeout=hidden
            )
            messages = list(pages)
        except ResourceNotFoundError:
            messages = []
        except AzureError as error:
            self._outage.began(self._where, error)
            return []
        self._outage.ended(self._where)
        return messages

    def _begin(self, message: Message) -> None:
        """Hands a message to a thread; releases it if the listener is stopping."""
        if self.stopping.is_set():
            message.release(0)
            return
        with self._ended:
            self._at_work.add(message)
        self._workers.submit(self._finish, message)

    def _finish(self, message: Message) -> None:
        """Makes one attempt at a message, and ends its lease whatever happens."""
        try:
            self._attempt(message, self._work(message))
        except AzureError as error:
            name = self._queue.queue_name
            logger.warning("A message of %s will be retried: %s", name, reason(error))
        finally:
            message.leave()
            with self._ended:
                self._at_work.discard(message)
                self._ended.notify_all()
            self.wake()

    def _attempt(self, message: Message, work: Work) -> None:
        if message.body is None:
            logger.error("%s: a message of %s is not base64", work.name, self._queue.queue_name)
            self._give_up(message, work)
        elif work.poison and message.attempt > self._terms.attempts:
            self._give_up(message, work)
        elif self._succeeds(message, work):
            message.done()
        elif message.attempt >= self._terms.attempts:
            self._give_up(message, work)
        elif work.poison:
            message.release(self._terms.retry_delay)

    def _succeeds(self, message: Message, work: Work) -> bool:
        try:
            work.run()
        except Exception:
            most = f" of {self._terms.attempts}" if work.poison else ""
            logger.exception(
                "%s raised an exception (attempt %s%s)", work.name, message.attempt, most
            )
            return False
        return True

    def _give_up(self, message: Message, work: Work) -> None:
        """Moves the message to the poison queue, if there is one."""
        if work.poison is None:
            return
        # Sent before it is deleted: a crash in between leaves two copies, and not none.
        send(work.poison, message.text)
        message.done()
        logger.error("%s: message moved to %s", work.name, work.poison.queue_name)


def pause(looks: int) -> float:
    """Seconds until the next look at a queue that so many looks in a row have found empty."""
    return min(SHORTEST_PAUSE * 2.0 ** min(looks - 1, 32), LONGEST_PAUSE) if looks else 0.0


def queue_trigger(
    function: Function, account: StorageAccount, invoker: Invoker, terms: Terms, outage: Outage
) -> QueueListener:
    """A listener that calls the function with a `QueueMessage`. A poison queue has no poison queue
    of its own."""
    name = str(function.binding["queueName"])
    poison = None if name.endswith("-poison") else account.queue(f"{name}-poison")

    def work(message: Message) -> Work:
        return Work(function.name, partial(invoker.run, function, _argument(message)), poison)

    return QueueListener(account.queue(name), work, terms, outage)


def _argument(message: Message) -> func.QueueMessage:
    """The message as the function receives it."""
    raw = message.raw
    # azure-functions types this class's properties, not its constructor
    return azure_functions_queue.QueueMessage(  # type: ignore[no-untyped-call]
        id=raw.id,
        body=message.body,
        dequeue_count=raw.dequeue_count,
        expiration_time=raw.expires_on,
        insertion_time=raw.inserted_on,
        time_next_visible=raw.next_visible_on,
        pop_receipt=raw.pop_receipt,
    )
