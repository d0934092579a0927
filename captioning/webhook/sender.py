"""Sends what has come to an end to the webhook's receiver: at least once, for a day.

What fails goes back on the queue, with the delays of images that wait, so that the host's attempts
at a message are not used up. Each outcome is a line of JSON in the log.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from captioning.domain.messages import NotificationMessage
from captioning.domain.record import FINAL, CaptionRecord
from captioning.errors import BadResponse, CaptioningError, ServiceDeferred, StorageUnavailable
from captioning.ports import MessageQueue, RecordWriter
from captioning.resilience.backoff import LONGEST_FOR_A_REPAIR, delay, is_hopeless
from captioning.resilience.gate import Gate
from captioning.webhook.outbox import FIRST_LOOK
from captioning.webhook.payload import Delivery

PATIENCE = 10.0
"""Seconds that a notice waits for its turn, others being first."""
LATEST_SAVE = timedelta(hours=1)
"""A save that was announced so long ago has come or will not."""
STORAGE_PAUSE = 15.0
"""Seconds, and up to twice that, until storage that failed is tried again."""
log = logging.getLogger("captioning.webhook")


class Receiver(Protocol):
    """The program that is notified."""

    def post(self, body: bytes, headers: dict[str, str]) -> None:
        """Returns when it has accepted. ServiceDeferred where it may accept later, BadResponse
        where it wants no more."""


class WebhookSender:
    """Deals with one notice at a time; safe to share between threads.

    `on_outage` hears of a receiver that has taken nothing for a quarter of an hour.
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

    def notify(self, notice: NotificationMessage) -> None:
        """Sends the record, puts the notice off, or drops it where its save never came: whoever
        ends the image then has announced that. StorageUnavailable where it cannot be put off."""
        try:
            stored = self._catalog.get(notice.path)
        except StorageUnavailable as error:
            log.warning("Storage fails, a notice is put off: %s", error.message)
            self._queue.put(notice, STORAGE_PAUSE * self._uniform(1, 2))
            return
        record = stored.record if stored else None
        age = self._now() - notice.updated
        is_final = record is not None and record.status in FINAL
        if record and is_final and (record.updated >= notice.updated or age > LATEST_SAVE):
            self._send(record, notice)
        elif age > LATEST_SAVE:
            _note("dropped", notice)
        else:  # twice as late as last time
            self._queue.put(notice, max(age.total_seconds(), FIRST_LOOK))

    def _send(self, record: CaptionRecord, notice: NotificationMessage) -> None:
        try:
            epoch = self._gate.enter(PATIENCE)
        except ServiceDeferred as error:  # it was not tried, and does not wait longer for that
            self._put_off(notice, error)
            return
        delivery = Delivery.of(record, self._keys, self._now())
        notice = replace(notice, attempts=notice.attempts + 1)
        try:
            self._receiver.post(delivery.body, delivery.headers)
        except ServiceDeferred as error:
            self._gate.leave(epoch, error)
            self._put_off(notice, error, delivery.identity)
        except BaseException as error:
            self._gate.leave(epoch, error)
            if not isinstance(error, BadResponse):
                raise
            _note("refused", notice, error, delivery.identity)
        else:
            self._gate.leave(epoch)
            _note("delivered", notice, identity=delivery.identity)

    def _put_off(
        self, notice: NotificationMessage, error: ServiceDeferred, identity: str | None = None
    ) -> None:
        now = self._now()
        since = notice.since or now
        if is_hopeless(error, since, now):
            _note("given_up", notice, error, identity)
            return
        wait = delay(error, max(notice.attempts, 1), self._uniform)
        self._queue.put(replace(notice, since=since), wait)
        _note("deferred", notice, error, identity)
        if (now - since).total_seconds() >= LONGEST_FOR_A_REPAIR:
            self._on_outage(error)


def _note(
    outcome: str,
    notice: NotificationMessage,
    error: CaptioningError | None = None,
    identity: str | None = None,
) -> None:
    """A line for the log; an error where the receiver was not told and will not be."""
    is_loss = outcome in {"given_up", "refused"}
    level = logging.ERROR if is_loss else logging.INFO
    log.log(level, json.dumps(_fields(outcome, notice, error, identity)))


def _fields(
    outcome: str,
    notice: NotificationMessage,
    error: CaptioningError | None = None,
    identity: str | None = None,
) -> dict[str, Any]:
    return {
        "event": "notify",
        "path": notice.path,
        "outcome": outcome,
        "id": identity,
        "code": error.code if error else None,
        "attempts": notice.attempts,
    }
