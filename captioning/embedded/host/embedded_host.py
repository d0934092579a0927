"""The embedded host: builds the server and the triggers for an app, starts and stops them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import azure.functions as func

from captioning.embedded.host.blob_scan import TABLE, BlobReceipts, BlobScan
from captioning.embedded.host.blob_trigger import BlobFunction, BlobMessage, BlobWork
from captioning.embedded.host.blob_webhook import BlobWebhook
from captioning.embedded.host.functions import Function, HostConfig, read_functions, thread_count
from captioning.embedded.host.http_server import HttpServer, RawRequest, Reply
from captioning.embedded.host.invocation import Invoker
from captioning.embedded.host.queue_listener import QueueListener, Terms
from captioning.embedded.host.queue_trigger import queue_work
from captioning.embedded.host.routing import Router
from captioning.embedded.host.storage import Outage, StorageAccount, StorageAccounts, send
from captioning.embedded.host.timer_trigger import Clock, SystemClock, TimerTrigger
from captioning.embedded.host.web_host import WebHost

HOST_STORAGE = "AzureWebJobsStorage"
GRACE = 5.0
"""Seconds that a host which stops waits for running invocations."""
HIDDEN = 60
"""Seconds for which a message that is being processed is hidden from other hosts."""
TRIGGER_ORDER = ("httpTrigger", "blobTrigger", "queueTrigger", "timerTrigger")


class Part(Protocol):
    """A trigger: it runs beside the web host, on threads of its own."""

    def start(self) -> None:
        """Starts its threads."""

    def stop_fetching(self) -> None:
        """Starts no further invocation."""

    def stop(self, timeout: float) -> None:
        """Waits up to `timeout` seconds for running invocations."""


@dataclass(frozen=True)
class Surroundings:
    """What every trigger needs. `hidden` is for how many seconds a message that is being processed
    is hidden from other hosts."""

    accounts: StorageAccounts
    invoker: Invoker
    config: HostConfig
    clock: Clock
    host_id: str
    hidden: int
    outage: Outage


class EmbeddedHost:
    """Hosts one app: the constructor binds the port, `start` serves, `stop` ends it.

    `settings` are used in place of the environment. `hidden` is after how many seconds the messages
    of a host that died are visible again. `hosts` are answered beside the local ones.
    HostStartError if the app cannot be hosted.
    """

    def __init__(
        self,
        app: func.FunctionApp,
        settings: Mapping[str, str],
        host_json: Mapping[str, Any],
        port: int = 0,
        *,
        clock: Clock | None = None,
        hidden: int = HIDDEN,
        hosts: Collection[str] = (),
    ) -> None:
        config = HostConfig.read(host_json, settings)
        functions = read_functions(app, settings)
        kinds = {kind: [f for f in functions if f.trigger == kind] for kind in TRIGGER_ORDER}
        self._accounts = StorageAccounts(settings)
        self._invoker = Invoker(thread_count(settings))
        around = Surroundings(
            self._accounts,
            self._invoker,
            config,
            clock or SystemClock(),
            host_id(settings),
            hidden,
            Outage(),
        )
        blobs = BlobParts(kinds["blobTrigger"], settings, around)
        self._parts: list[Part] = [
            *blobs.parts,
            *queue_parts(kinds["queueTrigger"], around),
            *timer_parts(kinds["timerTrigger"], around),
        ]
        start_page = settings.get("AzureWebJobsDisableHomepage", "").lower() not in {"true", "1"}
        router = Router(kinds["httpTrigger"], config.route_prefix)
        web = WebHost(router, self._invoker, blobs.webhook, start_page=start_page, hosts=hosts)
        self._server = HttpServer(web.respond, port)

    @property
    def url(self) -> str:
        """The address, without a trailing slash."""
        return f"http://127.0.0.1:{self._server.port}"

    def start(self) -> None:
        """Starts to serve. Storage need not be available yet."""
        self._invoker.start()
        self._server.start()
        for part in self._parts:
            part.start()

    def stop(self, grace: float = GRACE) -> bool:
        """Accepts no more work and waits up to `grace` seconds for running invocations. Returns
        whether all of them have ended."""
        deadline = time.monotonic() + grace
        # All triggers stop fetching before any of them is waited for, and the invoker comes after
        # the triggers that call it. Clients are closed once nothing uses them.
        for part in self._parts:
            part.stop_fetching()
        self._server.stop(deadline)
        for part in self._parts:
            part.stop(max(0.0, deadline - time.monotonic()))
        idle = self._invoker.stop(deadline)
        self._accounts.close()
        return idle

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()


def host_id(settings: Mapping[str, str]) -> str:
    """The id that names the app's host queue: from its setting or, as with `func`, from the
    folder."""
    folder = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:16]
    return settings.get("AzureFunctionsWebHost__hostid", f"embedded-{folder}").lower()


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
    """The triggers of blob functions: one listener on the host queue, a scan for each function that
    polls, and the webhook. Without a blob function there is none of them."""

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
    """The real host has no blob extension without a blob-triggered function either."""
    return Reply(404)
