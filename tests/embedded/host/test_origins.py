"""No web page reaches the local app, which has no keys."""

from __future__ import annotations

from collections.abc import Iterator

import azure.functions as func
import pytest

from captioning.embedded.host.embedded_host import EmbeddedHost
from testing.harness.embedded_http import AT_ROOT, declare, raw, status_of


@pytest.fixture(scope="module")
def host() -> Iterator[EmbeddedHost]:
    app = func.FunctionApp()
    declare(app, "any", "any", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    with EmbeddedHost(app, {}, AT_ROOT) as running:
        yield running


def answered(host: EmbeddedHost, method: str, *headers: str, target: str = "/any") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *headers, "Connection: close", "Content-Length: 0"]
    return raw(host, "\r\n".join([*lines, "", ""]).encode())


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "127.0.0.1:7071", "localhost:8000", "LocalHost", "[::1]:7071"]
)
def test_names_of_this_machine_are_answered(host: EmbeddedHost, name: str) -> None:
    assert status_of(answered(host, "GET", f"Host: {name}")) == 200
    own = f"Origin: http://{name}"
    assert status_of(answered(host, "POST", f"Host: {name}", own)) == 200


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "evil.example:7071",
        "localhost.evil.example",
        "127.0.0.1.evil.example:7071",
        "localhost@evil.example",
        "192.168.0.7:7071",
        "",
    ],
)
@pytest.mark.parametrize("target", ["/any", "/", "/none", "/runtime/webhooks/blobs"])
def test_other_names_are_refused(host: EmbeddedHost, name: str, target: str) -> None:
    answer = answered(host, "GET", f"Host: {name}", target=target)
    assert status_of(answer) == 403
    assert b"Content-Type: text/plain" in answer
    assert b"127.0.0.1" in answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://localhost:7072", "http://127.0.0.1:7071", "null", "file://"],
)
def test_pages_of_other_origins_cannot_write(host: EmbeddedHost, origin: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        headers = ("Host: localhost:7071", f"Origin: {origin}")
        assert status_of(answered(host, method, *headers)) == 403
    for method in ("GET", "HEAD"):
        assert status_of(answered(host, method, *headers)) == 200


def test_programs_send_no_origin_and_may_write(host: EmbeddedHost) -> None:
    assert status_of(answered(host, "DELETE", "Host: localhost:7071")) == 200
