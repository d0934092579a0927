"""Answers HTTP requests on loopback as the real host was recorded, on top of cheroot."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import azure.functions as func
from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Server

from captioning.embedded.host.functions import Function, Invoker
from captioning.embedded.host.routing import BadTarget, Router, Target, parse_target

logger = logging.getLogger("captioning.embedded.host")

WEBHOOK_PATH = "/runtime/webhooks/blobs"
START_PAGE = b"<!DOCTYPE html><title>Embedded Functions host</title><p>The app is up and running."
LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)
"""A Host header that names this machine, on any port: a container's port may be mapped."""
COMPUTED = frozenset({"content-length", "transfer-encoding", "connection", "date"})
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
Webhook = Callable[[RawRequest, Mapping[str, str]], Reply]


class WebHost:
    """Serves functions by their routes, the start page, and the blob webhook, if there is one.
    `hosts` are values of the Host header that are answered beside the local ones."""

    def __init__(
        self,
        router: Router,
        invoker: Invoker,
        webhook: Webhook | None,
        *,
        start_page: bool,
        hosts: Collection[str] = (),
    ) -> None:
        self._hosts = hosts
        self._router = router
        self._invoker = invoker
        self._webhook = webhook
        self._start_page = start_page

    def respond(self, request: RawRequest) -> Reply:
        """The response to a request; 500 if the function raises."""
        if refusal := self._refusal(request):
            return Reply(403, (("Content-Type", "text/plain; charset=utf-8"),), refusal.encode())
        try:
            target = parse_target(request.target)
        except BadTarget:
            return Reply(400)
        if self._webhook and target.path.lower() == WEBHOOK_PATH:
            return self._webhook(request, target.params)
        found = self._router.find(request.method, target.path)
        if found:
            return self._invoke(*found, request, target)
        if target.path != "/":
            return Reply(404)
        html = (("Content-Type", "text/html"),)
        return Reply(200, html, START_PAGE) if self._start_page else Reply(204)

    def _refusal(self, request: RawRequest) -> str:
        """Why the request is not answered; empty if it is."""
        host = request.headers.get("host", "")
        if not LOCAL.fullmatch(host) and host not in self._hosts:
            return "This local app answers at 127.0.0.1, localhost and [::1] only."
        origin = request.headers.get("origin")
        if origin is None or request.method in {"GET", "HEAD"}:
            return ""
        if origin.lower() in {f"http://{host}".lower(), f"https://{host}".lower()}:
            return ""
        return "This local app takes changes from its own pages and from programs only."

    def _invoke(
        self, function: Function, values: dict[str, str], request: RawRequest, target: Target
    ) -> Reply:
        argument = func.HttpRequest(
            method=request.method,
            url=f"http://{request.headers.get('host', '127.0.0.1')}{target.url}",
            headers=request.headers,
            params=target.params,
            route_params=values,
            body=request.body,
        )
        try:
            return _reply(self._invoker.run(function, argument))
        except Exception:
            logger.exception("%s raised an exception", function.name)
            return Reply(500)


def _reply(returned: func.HttpResponse) -> Reply:
    """The response that a function returned."""
    headers = [
        (name, value) for name, value in returned.headers.items() if name.lower() not in COMPUTED
    ]
    if "content-type" not in returned.headers:
        is_text = returned.mimetype.startswith("text/")
        charset = f"; charset={returned.charset}" if is_text else ""
        headers.append(("Content-Type", returned.mimetype + charset))
    return Reply(returned.status_code, tuple(headers), returned.get_body())


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

    def stop(self, timeout: float) -> bool:
        """Accepts no more connections, and waits up to `timeout` seconds for responses in progress;
        whether all have ended."""
        stopping = threading.Thread(target=self._server.stop, daemon=True)
        stopping.start()
        stopping.join(timeout)
        return not stopping.is_alive()


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
            ("127.0.0.1", port), app, 100, request_queue_size=128, timeout=120, shutdown_timeout=0
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
    reply = _checked(respond, environ)
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


def _checked(respond: Respond, environ: dict[str, Any]) -> Reply:
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
