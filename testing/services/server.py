"""A local HTTP server for stand-ins of services, with recorded requests and injected faults."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import parse_qsl

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server


@dataclass(frozen=True)
class Received:
    """A request as received."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """A response. It is sent after `delay` seconds; `cut` ends the body halfway, and `reset` closes
    the connection without a response."""

    status: int = 200
    body: bytes | dict[str, Any] = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    reset: bool = False


Answer = Callable[[Received], Reply]


class WireServer:
    """Answers requests with `answer` on a free loopback port. Replies in `faults` come first, in
    order."""

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.received: list[Received] = []
        self.faults: deque[Reply] = deque()
        self._answer = answer
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, self._serve, threaded=True, request_handler=_QuietHandler
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def url(self) -> str:
        """Address without a trailing slash."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        received = _received(environ)
        with self._lock:
            self.received.append(received)
            fault = self.faults.popleft() if self.faults else None
        reply = fault or self._answer(received)
        self._stopping.wait(reply.delay)
        if reply.reset:
            _break_off(environ["werkzeug.socket"])
        is_json = isinstance(reply.body, dict)
        body = json.dumps(reply.body).encode() if isinstance(reply.body, dict) else reply.body
        headers = {"Content-Type": "application/json"} if is_json else {}
        headers |= {**reply.headers, "Content-Length": str(len(body))}
        start_response(f"{reply.status} {reply.status}", list(headers.items()))
        return [body[: len(body) // 2]] if reply.cut else [body]


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: object) -> None:
        """Logs nothing; tests read `received`."""


def _received(environ: dict[str, Any]) -> Received:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    }
    return Received(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True),
        headers=headers,
        body=environ["wsgi.input"].read(length) if length else b"",
    )


def _break_off(connection: socket.socket) -> NoReturn:
    """Resets the connection without a response."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.shutdown(socket.SHUT_RD)
    raise ConnectionResetError
