"""Sends records that reached a final status to the webhook's receiver: at least once, for a day.

A message that fails goes back on the queue, with the delays of deferred images, so that the host's
attempts at it are not used up. Each outcome is a line of JSON in the log.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from captioning.domain.messages import NotificationMessage
from captioning.domain.record import FINAL, CaptionRecord, record_id
from captioning.errors import BadResponse, CaptioningError, ServiceDeferred, StorageUnavailable
from captioning.ports import MessageQueue, RecordWriter
from captioning.resilience.backoff import LONGEST_FOR_A_REPAIR, delay, is_hopeless, storage_pause
from captioning.resilience.gate import Gate
from captioning.webhook.outbox import FIRST_LOOK
from captioning.webhook.payload import Delivery

PATIENCE = 10.0
"""Seconds that a message waits for its turn while others are ahead."""
LATEST_SAVE = timedelta(hours=1)
"""A save that was announced longer ago than this was made, or never will be."""

log = logging.getLogger("captioning.webhook")


class Receiver(Protocol):
    """The program that is notified."""

    def post(self, body: bytes, headers: dict[str, str]) -> None:
        """Returns when the receiver has accepted. ServiceDeferred if it may accept later,
        BadResponse if it wants no more messages."""


class WebhookSender:
    """Handles one message at a time; safe to share between threads.

    `on_outage` is called with the error of a message that has failed for a quarter of an hour.
    """

    def __init__(
        self,
        *,
        catalog: RecordWriter,
        receiver: Receiver,
        gate: Gate,
        queue: MessageQueue[NotificationMessage],
        keys: Sequence[bytes],
        on_outage: Callable[[ServiceDeferred], None],
        now: Callable[[], datetime],
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._catalog = catalog
        self._receiver = receiver
        self._gate = gate
        self._queue = queue
        self._keys = keys
        self._on_outage = on_outage
        self._now = now
        self._uniform = uniform

    def notify(self, message: NotificationMessage) -> None:
        """Sends the record, puts the message off, or drops it if its save was never made: a later
        run that ends the image has sent a message of its own.

        StorageUnavailable if the message cannot be put off.
        """
        try:
            stored = self._catalog.get(message.path)
        except StorageUnavailable as error:
            failures = message.unread + 1
            log.warning(
                "Storage fails, the message on image %s is put off after attempt %d: %s",
                record_id(message.path),
                failures,
                error.message,
            )
            again = replace(message, unread=failures)
            self._queue.put(again, storage_pause(failures, self._uniform))
            return
        message = replace(message, unread=0)
        record = stored.record if stored else None
        if message.is_deleted:
            self._notify_of_deletion(record, message)
            return
        if record and record.status == "unreadable":
            _note("dropped", message)
            return
        age = self._now() - message.updated
        is_final = record is not None and record.status in FINAL
        if record and is_final and (record.updated >= message.updated or age > LATEST_SAVE):
            self._send(partial(Delivery.of, record, self._keys), message)
        elif age > LATEST_SAVE:
            _note("dropped", message)
        else:  # the save may still be under way: look again after twice the time
            self._queue.put(message, max(age.total_seconds(), FIRST_LOOK))

    def _notify_of_deletion(
        self, record: CaptionRecord | None, message: NotificationMessage
    ) -> None:
        age = self._now() - message.updated
        if record is None:
            self._send(
                partial(Delivery.of_deletion, message.path, message.updated, self._keys), message
            )
        elif record.created > message.updated or age > LATEST_SAVE:
            _note("dropped", message)  # uploaded again since, or never removed
        else:  # the removal may still be under way
            self._queue.put(message, max(age.total_seconds(), FIRST_LOOK))

    def _send(
        self, delivery_at: Callable[[datetime], Delivery], message: NotificationMessage
    ) -> None:
        try:
            epoch = self._gate.enter(PATIENCE)
        except (
            ServiceDeferred
        ) as error:  # It was not sent, so this is no attempt that makes the delay longer.
            self._put_off(message, error)
            return
        delivery = delivery_at(self._now())
        message = replace(message, attempts=message.attempts + 1)
        try:
            self._receiver.post(delivery.body, delivery.headers)
        except ServiceDeferred as error:
            self._gate.leave(epoch, error)
            self._put_off(message, error, delivery.identity)
        except BaseException as error:
            self._gate.leave(epoch, error)
            if not isinstance(error, BadResponse):
                raise
            _note("refused", message, error, delivery.identity)
        else:
            self._gate.leave(epoch)
            _note("delivered", message, identity=delivery.identity)

    def _put_off(
        self, message: NotificationMessage, error: ServiceDeferred, identity: str | None = None
    ) -> None:
        now = self._now()
        since = message.since or now
        if is_hopeless(error, since, now):
            _note("given_up", message, error, identity)
            return
        wait = delay(error, max(message.attempts, 1), self._uniform)
        self._queue.put(replace(message, since=since), wait)
        _note("deferred", message, error, identity)
        if (now - since).total_seconds() >= LONGEST_FOR_A_REPAIR:
            self._on_outage(error)


def _note(
    outcome: str,
    message: NotificationMessage,
    error: CaptioningError | None = None,
    identity: str | None = None,
) -> None:
    """Writes a line of JSON; as an error if the receiver will never get the record."""
    is_loss = outcome in {"given_up", "refused"}
    level = logging.ERROR if is_loss else logging.INFO
    log.log(level, json.dumps(_fields(outcome, message, error, identity)))


def _fields(
    outcome: str,
    message: NotificationMessage,
    error: CaptioningError | None = None,
    identity: str | None = None,
) -> dict[str, Any]:
    return {
        "event": "notify",
        "path": message.path,
        "outcome": outcome,
        "id": identity,
        "code": error.code if error else None,
        "attempts": message.attempts,
    }
