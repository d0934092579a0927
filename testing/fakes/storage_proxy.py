"""A proxy in front of Azurite that can answer as a failing storage account does."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from captioning.embedded.stack.azurite import StoragePorts
from testing.fakes.forwarding import HOP, Answer, ProxyHandler, ProxyServer, forwarded

WRITES = {"POST", "PUT", "PATCH", "MERGE", "DELETE"}
TROUBLE = {500: "InternalError", 503: "ServerBusy"}


class StorageProxy:
    """Forwards every request, or refuses those to some services (`blob`, `queue`, `table`).

    Refusals are 500 or 503, at random by `seed`. `lost` is the share of refused writes that take
    effect, as if only their answer were lost.
    """

    def __init__(self, ports: StoragePorts, seed: int = 4, lost: float = 0.25) -> None:
        self.refused: Counter[str] = Counter()
        self.garble: Callable[[str, str, Answer], Answer] = lambda _service, _method, answer: answer
        """What becomes of each answer, by service and method, on its way to the client."""
        self._down: frozenset[str] = frozenset()
        self._random = random.Random(seed)
        self._lost = lost
        self._lock = threading.Lock()
        self._servers = {
            service: _Server(self, service, port) for service, port in ports.by_service().items()
        }
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            for server in self._servers.values()
        ]

    @property
    def connection_string(self) -> str:
        """The connection string of storage behind this proxy."""
        ports = {name: server.server_port for name, server in self._servers.items()}
        return StoragePorts(**ports).connection_string

    def refuse(self, services: Iterable[str]) -> None:
        """Has these services fail from now on, and all others work."""
        self._down = frozenset(services)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def trouble(self, service: str, method: str) -> tuple[int, bool] | None:
        """The status to refuse this request with, and whether it takes effect; None to forward
        it."""
        if service not in self._down:
            return None
        with self._lock:
            self.refused[service] += 1
            lost = method in WRITES and self._random.random() < self._lost
            return self._random.choice(list(TROUBLE)), lost


class _Server(ProxyServer):
    def __init__(self, proxy: StorageProxy, service: str, upstream: int) -> None:
        self.proxy, self.service, self.upstream = proxy, service, upstream
        super().__init__(_Handler)


class _Handler(ProxyHandler):
    server: _Server

    def _pass_on(self) -> None:
        body = self.body()
        trouble = self.server.proxy.trouble(self.server.service, self.command)
        if trouble is None:
            proxy, service = self.server.proxy, self.server.service
            self._answer(*proxy.garble(service, self.command, self._asked(body)))
            return
        status, lost = trouble
        if lost:
            self._asked(body)
        self._answer(status, *_refusal(self.server.service, TROUBLE[status]))

    # named by http.server
    do_GET = do_HEAD = do_OPTIONS = _pass_on  # noqa: N815
    do_POST = do_PUT = do_PATCH = do_MERGE = do_DELETE = _pass_on  # noqa: N815

    def _asked(self, body: bytes) -> Answer:
        headers = self.headers.items()
        return forwarded(self.server.upstream, self.command, self.path, headers, body)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in HOP:
                self.send_header(name, value)
        sized = {name.lower(): value for name, value in headers}
        length = sized.get("content-length", "0") if self.command == "HEAD" else str(len(body))
        if status not in {204, 304}:
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)


def _refusal(service: str, code: str) -> tuple[list[tuple[str, str]], bytes]:
    headers = [("x-ms-error-code", code)]
    if service == "table":
        error = {"code": code, "message": {"lang": "en-US", "value": "The server is busy."}}
        body = json.dumps({"odata.error": error}).encode()
        return [*headers, ("Content-Type", "application/json")], body
    xml = f"<Error><Code>{code}</Code><Message>The server is busy.</Message></Error>"
    return [*headers, ("Content-Type", "application/xml")], xml.encode()
