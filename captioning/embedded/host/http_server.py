"""An HTTP/1.1 server on loopback, built on cheroot.

It differs from the real host in these points:

- A body over 104,857,600 bytes is answered with 413 before the connection closes.
- Refusals by cheroot itself have a text. They are 413 for headers over 128 KB, and 500 for a
  malformed chunk or a target such as `//[`.
- Of a repeated header that is not a list only the last value counts, and `_` in a header's name
  becomes `-`.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Server

logger = logging.getLogger("captioning.embedded.host")

MAX_REQUEST_LINE = 8_190
MAX_HEADERS = 32_768
"""Bytes that the real host accepts."""
CHUNK = 1_048_576
"""Bytes of a body that are read or written at a time."""
PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True)
class RawRequest:
    """A request as received: the target unchanged, header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """A response without Content-Length, which the server adds."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


Respond = Callable[[RawRequest], Reply]


class HttpServer:
    """Answers requests with `respond`, on a pool of threads.

    The constructor binds the port and raises OSError if it is taken; `start` serves.
    """

    def __init__(self, respond: Respond, port: int) -> None:
        self._server = _Server(partial(_answer, respond), port)

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._server.bind_addr[1])

    def start(self) -> None:
        """Starts to serve. Cheroot's threads are daemons, because the thread that starts them
        is."""
        threading.Thread(target=self._server.start, daemon=True).start()
        while not self._server.ready:
            time.sleep(0.01)

    def stop(self, deadline: float) -> None:
        """Accepts no more connections, and waits for responses in progress until `deadline`, by the
        monotonic clock."""
        stopping = threading.Thread(target=self._server.stop, daemon=True)
        stopping.start()
        stopping.join(max(0.0, deadline - time.monotonic()))


class _Request(HTTPRequest):
    def __init__(self, server: Server, connection: HTTPConnection) -> None:
        """Accepts targets that begin with `//` or a scheme."""
        super().__init__(server, connection, strict_mode=False)


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request


class _Server(Server):
    """Listens from its constructor on. Cheroot listens only when it is started, and hides the error
    if it cannot."""

    ConnectionClass = _Connection
    expiration_interval = 0.05
    keep_alive_conn_limit = 1_000
    max_request_header_size = 131_072
    max_request_body_size = 104_857_600

    def __init__(self, app: Callable[..., Iterable[bytes]], port: int) -> None:
        # shutdown_timeout=0: stopping ends reading at once; responses in progress are completed.
        super().__init__(
            ("127.0.0.1", port),
            app,
            numthreads=100,
            request_queue_size=128,
            timeout=120,
            shutdown_timeout=0,
        )
        self._listening = socket.create_server(self.bind_addr, backlog=self.request_queue_size)
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bind_addr = self._listening.getsockname()

    def bind(self, *_: Any, **__: Any) -> None:
        """Called by cheroot when it is started; the socket listens already."""
        self.socket = self._listening

    # The signature is cheroot's.
    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:  # noqa: FBT001, FBT002
        """Logs what cheroot would write to stderr."""
        logger.log(level, msg, exc_info=traceback)


def _answer(
    respond: Respond, environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """The WSGI application."""
    reply = _reply(respond, environ)
    if not all(text.isascii() and text.isprintable() for pair in reply.headers for text in pair):
        logger.error("A response has headers that cannot be sent")
        reply = Reply(500)
    headers, has_length = [*reply.headers], reply.status not in {204, 304}
    if has_length:
        headers.append(("Content-Length", str(len(reply.body))))
    start_response(f"{reply.status} {PHRASES.get(reply.status, '')}", headers)
    if environ["REQUEST_METHOD"] == "HEAD" or not has_length:
        return []
    return (reply.body[start : start + CHUNK] for start in range(0, len(reply.body), CHUNK))


def _reply(respond: Respond, environ: dict[str, Any]) -> Reply:
    """The answer of `respond`; or a refusal of a request line or headers over the limit, or of an
    incomplete body."""
    method, target, headers = environ["REQUEST_METHOD"], environ["REQUEST_URI"], _headers(environ)
    body = b"".join(iter(partial(environ["wsgi.input"].read, CHUNK), b""))
    if len(f"{method} {target} {environ['SERVER_PROTOCOL']}") > MAX_REQUEST_LINE:
        return Reply(414)
    if sum(len(name) + len(value) + 4 for name, value in headers.items()) > MAX_HEADERS:
        return Reply(431)
    if environ["wsgi.input_terminated"]:  # chunked: read and dropped, as the real host does
        body = b""
    elif len(body) != int(headers.get("content-length", "0")):
        return Reply(400)
    return respond(RawRequest(method, target, headers, body))


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    """The request's headers, from the WSGI environment."""
    names = {key: key.removeprefix("HTTP_").replace("_", "-").lower() for key in environ}
    return {
        name: environ[key].encode("latin-1").decode("utf-8", "replace")
        for key, name in names.items()
        if key.startswith("HTTP_") or name in {"content-length", "content-type"}
    }
