"""Apps that answer with what they received, and requests that no client normalises."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import azure.functions as func

from captioning.embedded.host.embedded_host import EmbeddedHost
from testing.harness.waiting import HUNG_SECONDS

AT_ROOT = {"extensions": {"http": {"routePrefix": ""}}}


def declare(app: func.FunctionApp, name: str, route: str | None, methods: list[str] | None) -> None:
    """Adds a function that answers with the request that it received."""

    def answer(req: func.HttpRequest) -> func.HttpResponse:
        if req.headers.get("x-raise"):
            raise RuntimeError("as requested")
        url = urlsplit(req.url)
        seen = {
            "function": name,
            "route_params": dict(req.route_params),
            "params": dict(req.params),
            "url": req.url.removeprefix(f"{url.scheme}://{url.netloc}"),
            "body_bytes": len(req.get_body()),
        }
        return func.HttpResponse(json.dumps(seen), mimetype="application/json")

    app.function_name(name)(app.route(route=route, methods=methods)(answer))


def ask(
    host: EmbeddedHost,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[HTTPResponse, bytes]:
    """Sends a request with this target, unchanged, on a connection of its own."""
    connection = HTTPConnection(host.url.removeprefix("http://"), timeout=HUNG_SECONDS)
    try:
        return ask_on(connection, method, target, headers, body)
    finally:
        connection.close()


def ask_on(
    connection: HTTPConnection,
    method: str,
    target: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[HTTPResponse, bytes]:
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    return response, response.read()


def raw(host: EmbeddedHost, sent: bytes) -> bytes:
    """The response to bytes that no client would send."""
    with socket.create_connection(
        ("127.0.0.1", int(host.url.rpartition(":")[2])), HUNG_SECONDS
    ) as wire:
        wire.sendall(sent)
        received = b""
        while part := wire.recv(65536):
            received += part
    return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def hosted(app: func.FunctionApp, **settings: str) -> EmbeddedHost:
    return EmbeddedHost(app, settings, AT_ROOT, hosts=("x",))
