"""The embedded host in one piece: an app in, a server and its triggers out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import azure.functions as func

from captioning.embedded.host.functions import read_functions
from captioning.embedded.host.host_config import HostConfig, thread_count
from captioning.embedded.host.http_server import HttpServer
from captioning.embedded.host.invocation import Invoker
from captioning.embedded.host.routing import Router
from captioning.embedded.host.storage import Outage, StorageAccounts
from captioning.embedded.host.timer_trigger import Clock, SystemClock
from captioning.embedded.host.triggers import (
    BlobParts,
    Part,
    Surroundings,
    queue_parts,
    timer_parts,
)
from captioning.embedded.host.web_host import WebHost

GRACE = 5.0
HIDDEN = 60


class EmbeddedHost:
    """Hosts one app. The port is taken when made; `start` serves, `stop` ends it.

    `settings` stands for the environment, `hidden` is how long a dead host's messages stay away.
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
        web = WebHost(router, self._invoker, blobs.webhook, start_page=start_page)
        self._server = HttpServer(web.respond, port)

    @property
    def url(self) -> str:
        """Address without a trailing slash."""
        return f"http://127.0.0.1:{self._server.port}"

    def start(self) -> None:
        """Serves; storage need not answer yet."""
        self._invoker.start()
        self._server.start()
        for part in self._parts:
            part.start()

    def stop(self, grace: float = GRACE) -> bool:
        """Takes on nothing new and waits for what runs; False where something still does."""
        deadline = time.monotonic() + grace
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


TRIGGER_ORDER = ("httpTrigger", "blobTrigger", "queueTrigger", "timerTrigger")


def host_id(settings: Mapping[str, str]) -> str:
    """Names this app's queue: a setting, or a name made from the folder as `func` does."""
    folder = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:16]
    return settings.get("AzureFunctionsWebHost__hostid", f"embedded-{folder}").lower()
