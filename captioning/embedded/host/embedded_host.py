"""The embedded host: builds the server and the triggers for an app, starts and stops them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import azure.functions as func

from captioning.embedded.host.blob_scan import TABLE, BlobReceipts, BlobScan
from captioning.embedded.host.blob_trigger import (
    BlobFunction,
    BlobMessage,
    BlobTrigger,
    BlobWebhook,
)
from captioning.embedded.host.functions import (
    HIDDEN,
    Function,
    HostConfig,
    Invoker,
    read_functions,
)
from captioning.embedded.host.loops import Clock, Loop, SystemClock, TimerTrigger
from captioning.embedded.host.queue_listener import QueueListener, queue_trigger
from captioning.embedded.host.routing import Router
from captioning.embedded.host.storage import Outage, StorageAccounts, send
from captioning.embedded.host.web_host import HttpServer, Webhook, WebHost

HOST_STORAGE = "AzureWebJobsStorage"
GRACE = 5.0
"""Seconds that a host which stops waits for running invocations."""


class EmbeddedHost:
    """Hosts one app: the constructor binds the port, `start` serves, `stop` ends it.

    `settings` are used in place of the environment. `hidden` is after how many seconds the messages
    of a host that died are visible again. With `exactly`, so many messages of each function are at
    work at a time. `hosts` are answered beside the local ones. HostStartError if the app cannot be
    hosted.
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
        exactly: int | None = None,
        hosts: Collection[str] = (),
    ) -> None:
        self._settings = settings
        self._config = HostConfig.read(host_json, settings, hidden=hidden, exactly=exactly)
        self._accounts = StorageAccounts(settings)
        self._invoker = Invoker(settings)
        self._outage = Outage()
        self._loops: list[Loop] = []
        of_kind: dict[str, list[Function]] = {}
        for function in read_functions(app, settings):
            of_kind.setdefault(function.trigger, []).append(function)
        webhook = self._add_blobs(of_kind.get("blobTrigger", []))
        for function in of_kind.get("queueTrigger", []):
            account = self._accounts.get(function.connection, function.name)
            terms = self._config.queues
            self._loops.append(queue_trigger(function, account, self._invoker, terms, self._outage))
        for function in of_kind.get("timerTrigger", []):
            self._loops.append(TimerTrigger(function, self._invoker, clock or SystemClock()))
        start_page = settings.get("AzureWebJobsDisableHomepage", "").lower() not in {"true", "1"}
        router = Router(of_kind.get("httpTrigger", []), self._config.route_prefix)
        web = WebHost(router, self._invoker, webhook, start_page=start_page, hosts=hosts)
        self._server = HttpServer(web.respond, port)

    @property
    def url(self) -> str:
        """The address, without a trailing slash."""
        return f"http://127.0.0.1:{self._server.port}"

    def start(self) -> None:
        """Starts to serve. Storage need not be available yet."""
        self._server.start()
        for loop in self._loops:
            loop.start()

    def stop(self, grace: float = GRACE) -> bool:
        """Accepts no more work and waits up to `grace` seconds for running invocations. Returns
        whether all of them have ended."""
        deadline = time.monotonic() + grace
        # All stop fetching before any of them is waited for. Clients are closed once nothing uses
        # them.
        for loop in self._loops:
            loop.stop_fetching()
        parts: list[HttpServer | Loop] = [self._server, *self._loops]
        ended = [part.stop(max(0.0, deadline - time.monotonic())) for part in parts]
        self._accounts.close()
        return all(ended)

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

    def _add_blobs(self, functions: list[Function]) -> Webhook | None:
        """Adds one listener on the host queue, and a scan for each function that scans. Returns the
        webhook. Without a blob function there is none of them."""
        blobs = [
            BlobFunction.of(function, self._accounts.get(function.connection, function.name))
            for function in functions
        ]
        if not blobs:
            return None
        host = blobs[0].account
        if self._settings.get(HOST_STORAGE):
            host = self._accounts.get(HOST_STORAGE, "the host")
        queue = host.queue(f"azure-webjobs-blobtrigger-{host_id(self._settings)}")
        trigger = BlobTrigger(blobs, host, self._invoker)
        listener = QueueListener(queue, trigger.work, self._config.blobs, self._outage)

        def enqueue(message: BlobMessage) -> None:
            send(queue, message.text())
            listener.wake()

        self._loops.append(listener)
        for blob in blobs:
            if blob.scans:
                receipts = BlobReceipts(host.table(TABLE), blob.function.name)
                self._loops.append(BlobScan(blob, receipts, enqueue, self._outage))
        return BlobWebhook(enqueue).respond


def host_id(settings: Mapping[str, str]) -> str:
    """The id that names the app's host queue: from its setting or, as with `func`, from the
    folder."""
    folder = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:16]
    return settings.get("AzureFunctionsWebHost__hostid", f"embedded-{folder}").lower()
