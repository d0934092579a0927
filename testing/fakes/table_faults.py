"""What can go wrong between the app and the Table service, over real connections."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, Self

from captioning.storage.authorization import TableKey
from testing.fakes.forwarding import HOP, ProxyHandler, ProxyServer, forwarded

NAME = "x-ms-client-request-id"


@dataclass(frozen=True)
class Request:
    """A request on its way."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """An answer on its way back."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    def wire(self, *, has_length: bool = True) -> bytes:
        """The bytes that are sent."""
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        if has_length and self.status != 204:
            headers["Content-Length"] = str(len(self.body))
        if not has_length:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {self.status} x", *(f"{n}: {v}" for n, v in headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


Fault = Callable[["TableFaults", Request], bytes | None]
"""Answers a request: raw bytes, after fewer of which than they say the connection is closed; None
resets the connection."""


class TableFaults:
    """A proxy before Azurite's Table service. `next` are faults for the next requests in turn,
    `always` for all others; without one a request is passed on."""

    def __init__(self, connection_string: str) -> None:
        self.next: deque[Fault] = deque()
        self.always: Fault | None = None
        self.made = 0
        """Writes that the service has made."""
        account = dict(part.split("=", 1) for part in connection_string.split(";") if part)
        self._upstream = int(account["TableEndpoint"].split(":")[2].split("/")[0])
        self._key = TableKey(account["AccountName"], account["AccountKey"])
        self._connection_string = connection_string
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def connection_string(self) -> str:
        """For a client that goes through here."""
        old, new = f":{self._upstream}/", f":{self._server.server_port}/"
        return self._connection_string.replace(old, new)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: Request) -> bytes | None:
        """The answer as it goes out."""
        fault = self.next.popleft() if self.next else self.always
        return fault(self, request) if fault else self.ask(request).wire()

    def ask(self, request: Request) -> Response:
        """What the service answers. It repeats the name of every request, as the real one does:
        Azurite leaves it out of refusals and transactions."""
        status, told, body = forwarded(
            self._upstream, request.method, request.path, request.headers.items(), request.body
        )
        headers = {name.lower(): value for name, value in told}
        is_made = status == 204 or b"HTTP/1.1 204" in body
        self.made += request.method != "GET" and is_made
        return Response(status, {**headers, NAME: request.headers[NAME]}, body)

    def signed(self, request: Request) -> Request:
        """The request with a signature for what it asks now."""
        path = request.path.partition("?")[0]
        kind = request.headers["content-type"]
        lines = self._key.headers(request.method, path, content_type=kind)
        fresh = dict(line.lower().split(": ", 1) for line in lines[:1])
        fresh["authorization"] = lines[1].split(": ", 1)[1]
        fresh["x-ms-date"] = lines[0].split(": ", 1)[1]
        return replace(request, headers={**request.headers, **fresh})


class _Server(ProxyServer):
    def __init__(self, faults: TableFaults) -> None:
        self.faults = faults
        super().__init__(_Handler)


class _Handler(ProxyHandler):
    server: _Server

    def _pass_on(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.body())
        answer = self.server.faults.answer(request)
        if answer is None:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        self.wfile.write(answer)
        self.close_connection = not _is_whole(answer)

    # named by http.server
    do_GET = do_POST = do_PUT = do_MERGE = do_DELETE = _pass_on  # noqa: N815


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(found) and (len(body) == int(length[1]) if length else b" 204 " in head)


class RawServer:
    """Answers with bytes: a list for each connection, an item for each request on it; an empty one
    closes the connection."""

    def __init__(self, connections: Sequence[Sequence[bytes]]) -> None:
        self.requests = 0
        self._connections = connections
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """Address without a trailing slash."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._socket.close()

    def _serve(self) -> None:
        for answers in self._connections:
            connection, _ = self._socket.accept()
            with connection, connection.makefile("rb") as requests:
                for answer in answers:
                    self._take(requests)
                    connection.sendall(answer)
                    if not answer:
                        break

    def _take(self, requests: IO[bytes]) -> None:
        length = 0
        for line in iter(requests.readline, b"\r\n"):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        requests.read(length)
        self.requests += 1


def refused(status: int, code: str) -> Fault:
    """A refusal in the service's words; nothing is done."""
    return lambda _, request: service_error(status, code, request.headers[NAME]).wire()


def refused_after(status: int, code: str) -> Fault:
    """The same, but the request was carried out."""

    def fault(proxy: TableFaults, request: Request) -> bytes:
        proxy.ask(request)
        return service_error(status, code, request.headers[NAME]).wire()

    return fault


def service_error(status: int, code: str, name: str) -> Response:
    """An error as the service answers it."""
    error = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": f"{code}."}}}
    headers = {"Content-Type": "application/json", "x-ms-request-id": "1", NAME: name}
    return Response(status, headers, json.dumps(error).encode())


def foreign(status: int, body: bytes = b"<html>Sign in", *, after: bool = False) -> Fault:
    """An answer of something between that is not the service."""

    def fault(proxy: TableFaults, request: Request) -> bytes:
        if after:
            proxy.ask(request)
        headers = {"Content-Type": "text/html", "Location": "/portal", "ETag": '"portal"'}
        return Response(status, headers, body).wire()

    return fault


def reset(*, after: bool) -> Fault:
    """The connection is reset before or after the request is carried out."""

    def fault(proxy: TableFaults, request: Request) -> None:
        if after:
            proxy.ask(request)

    return fault


def closed(proxy: TableFaults, request: Request) -> bytes:
    """The connection is closed without an answer; the request was carried out."""
    proxy.ask(request)
    return b""


def cut(proxy: TableFaults, request: Request) -> bytes:
    """The answer breaks off in its body, or in its headers if it has none."""
    answer = proxy.ask(request)
    whole = answer.wire()
    return whole[: -len(answer.body) // 2] if answer.body else whole[: len(whole) // 2]


def cut_without_length(proxy: TableFaults, request: Request) -> bytes:
    """The same, where nothing says how long the body is."""
    answer = proxy.ask(request)
    return replace(answer, body=answer.body[: len(answer.body) // 2]).wire(has_length=False)


def garbled(proxy: TableFaults, request: Request) -> bytes:
    """The service's headers, and a body that is not as it was."""
    answer = proxy.ask(request)
    status = 200 if answer.status == 204 else answer.status
    body = answer.body.replace(b'"', b"'").replace(b"HTTP/1.1 2", b"HTTP/1.1 7") or b"{]"
    return replace(answer, status=status, body=body).wire()


def other_request(proxy: TableFaults, request: Request) -> bytes:
    """The answer to another request, which was carried out; this one was not."""
    return proxy.ask(_about_another(proxy, request, "0" * 32)).wire()


def other_request_after(proxy: TableFaults, request: Request) -> bytes:
    """The answer to another request; this one was carried out, too."""
    proxy.ask(request)
    return other_request(proxy, request)


def other_entity(proxy: TableFaults, request: Request) -> bytes:
    """The request is taken for one for another entity."""
    return proxy.ask(_about_another(proxy, request, request.headers[NAME])).wire()


def other_table(proxy: TableFaults, request: Request) -> bytes:
    """The request is taken for one for another table, which has the same keys."""
    path = re.sub(r"/(t\w+)\(", r"/\1twin(", request.path)
    return proxy.ask(proxy.signed(replace(request, path=path))).wire()


def _about_another(proxy: TableFaults, request: Request, name: str) -> Request:
    """The request for `other…` where it was for `own…`, on condition of any ETag."""
    body = re.sub(rb"If-Match: .*?\r", b"If-Match: *\r", request.body.replace(b"own", b"other"))
    headers = {**request.headers, NAME: name, "content-length": str(len(body))}
    if "if-match" in headers:
        headers["if-match"] = "*"
    if not body:
        del headers["content-length"]
    path = request.path.replace("own", "other")
    return proxy.signed(Request(request.method, path, headers, body))


def parts_missing(proxy: TableFaults, request: Request) -> bytes:
    """The answer to a transaction lacks its last part."""
    answer = proxy.ask(request)
    before, found, _ = answer.body.rpartition(b"HTTP/1.1 ")
    return replace(answer, body=before if found else answer.body[:-1]).wire()


def etag_missing(proxy: TableFaults, request: Request) -> bytes:
    """The answer does not say the first ETag."""
    answer = proxy.ask(request)
    headers = {name: value for name, value in answer.headers.items() if name != "etag"}
    body = re.sub(rb"ETag: .*?\r?\n", b"", answer.body, count=1)
    return replace(answer, headers=headers, body=body).wire()


def busy_within(proxy: TableFaults, request: Request) -> bytes:
    """The answer to a transaction says within that the service is busy; nothing is done."""
    error = b'{"odata.error":{"code":"ServerBusy","message":{"value":"0:Busy."}}}'
    body = b"--b\r\n\r\nHTTP/1.1 503 x\r\nContent-Type: application/json\r\n\r\n" + error
    headers = {"x-ms-request-id": "1", NAME: request.headers[NAME]}
    return Response(202, headers, body + b"\r\n--b--\r\n").wire()
