"""Puts the triggers together: functions in, running parts and the blob webhook out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from captioning.embedded.host.blob_receipts import TABLE, BlobReceipts
from captioning.embedded.host.blob_scan import BlobScan
from captioning.embedded.host.blob_trigger import BlobFunction, BlobMessage, BlobWork
from captioning.embedded.host.blob_webhook import BlobWebhook
from captioning.embedded.host.functions import Function
from captioning.embedded.host.host_config import HostConfig
from captioning.embedded.host.http_messages import RawRequest, Reply
from captioning.embedded.host.invocation import Invoker
from captioning.embedded.host.queue_listener import QueueListener
from captioning.embedded.host.queue_messages import Terms
from captioning.embedded.host.queue_trigger import queue_work
from captioning.embedded.host.storage import Outage, StorageAccount, StorageAccounts, send
from captioning.embedded.host.timer_trigger import Clock, TimerTrigger

HOST_STORAGE = "AzureWebJobsStorage"


class Part(Protocol):
    """Something that runs beside the web host."""

    def start(self) -> None:
        """Begins."""

    def stop_fetching(self) -> None:
        """Takes on nothing new."""

    def stop(self, timeout: float) -> None:
        """Waits for what is under way."""


@dataclass(frozen=True)
class Surroundings:
    """What every trigger needs; `hidden` is for how many seconds a message is ours."""

    accounts: StorageAccounts
    invoker: Invoker
    config: HostConfig
    clock: Clock
    host_id: str
    hidden: int
    outage: Outage


def queue_parts(functions: Iterable[Function], around: Surroundings) -> list[Part]:
    """A listener for each queue-triggered function."""
    config = around.config
    terms = Terms(
        limit=config.queue_limit,
        attempts=config.queue_attempts,
        retry_delay=config.queue_retry_delay,
        base64=config.queue_base64,
        hidden=around.hidden,
    )
    parts: list[Part] = []
    for function in functions:
        account = around.accounts.get(function.connection, function.name)
        queue = account.queue(str(function.binding["queueName"]))
        work = queue_work(function, account, around.invoker)
        parts.append(QueueListener(queue, work, terms, around.outage))
    return parts


def timer_parts(functions: Iterable[Function], around: Surroundings) -> list[Part]:
    """A thread for each timer-triggered function."""
    return [TimerTrigger(function, around.invoker.run, around.clock) for function in functions]


class BlobParts:
    """The host queue's one listener, a scan for each polling function, and the webhook."""

    def __init__(
        self, functions: Iterable[Function], settings: Mapping[str, str], around: Surroundings
    ) -> None:
        self.parts: list[Part] = []
        self.webhook: Callable[[RawRequest, Mapping[str, str]], Reply] = _no_webhook
        blobs = [
            BlobFunction.of(function, around.accounts.get(function.connection, function.name))
            for function in functions
        ]
        if blobs:
            host = blobs[0].account
            if settings.get(HOST_STORAGE):
                host = around.accounts.get(HOST_STORAGE, "the host")
            self._build(blobs, host, around)

    def _build(self, blobs: list[BlobFunction], host: StorageAccount, around: Surroundings) -> None:
        queue = host.queue(f"azure-webjobs-blobtrigger-{around.host_id}")
        config = around.config
        terms = Terms(config.blob_limit, config.blob_attempts, 0, base64=True, hidden=around.hidden)
        work = BlobWork(blobs, host, around.invoker)
        listener = QueueListener(queue, work.as_work(), terms, around.outage)

        def enqueue(message: BlobMessage) -> None:
            send(queue, message.text())
            listener.wake()

        scans = [
            BlobScan(
                blob, BlobReceipts(host.table(TABLE), blob.function.name), enqueue, around.outage
            )
            for blob in blobs
            if blob.polls
        ]
        self.parts = [listener, *scans]
        self.webhook = BlobWebhook(enqueue).respond


def _no_webhook(_: RawRequest, __: Mapping[str, str]) -> Reply:
    """Without a blob-triggered function the extension is not there."""
    return Reply(404)
