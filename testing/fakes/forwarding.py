"""What the proxies before Azurite have in common."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from testing.harness.waiting import HUNG_SECONDS

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
"""Headers that belong to one connection; the proxy sets its own."""
Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""


def forwarded(
    port: int, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes
) -> Answer:
    """What the service on this port answers to a request, whose headers are sent as they are."""
    upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=HUNG_SECONDS)
    upstream.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        upstream.putheader(name, value)
    upstream.endheaders(body or None)
    response = upstream.getresponse()
    content = response.read()
    upstream.close()
    return response.status, response.getheaders(), content


class ProxyServer(ThreadingHTTPServer):
    """Listens on a free loopback port."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler: type[ProxyHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, *_: object) -> None:
        """Ignores broken connections: tests kill clients and reset connections."""


class ProxyHandler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Logs nothing."""

    def body(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))
