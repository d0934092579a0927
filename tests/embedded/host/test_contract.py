"""The embedded host answers as the recorded one did (tests/embedded/host/recorded/cases.jsonl)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from captioning.embedded.host.embedded_host import EmbeddedHost
from testing.harness.embedded_http import ask, ask_on, declare, hosted, raw, status_of
from testing.harness.waiting import HUNG_SECONDS

RECORDED = Path(__file__).parent / "recorded"
ROUTES: list[dict[str, Any]] = json.loads((RECORDED / "routes.json").read_text())
CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (RECORDED / "cases.jsonl").read_text().splitlines()
]


def recorded_app() -> func.FunctionApp:
    """The app of the recording: each function answers with what it was given."""
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    for route in ROUTES:
        declare(app, route["name"], route["route"], route["methods"])
    return app


@pytest.fixture(scope="module")
def recorded() -> Iterator[EmbeddedHost]:
    with hosted(recorded_app(), AzureWebJobsDisableHomepage="true") as host:
        yield host


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case['method']} {case['target'][:40]}" for case in CASES]
)
def test_answers_as_recorded(recorded: EmbeddedHost, case: dict[str, Any]) -> None:
    body = case["body"].encode() if "body" in case else None
    response, got = ask(recorded, case["method"], case["target"], case.get("headers"), body)
    expected = dict(case["expect"])
    assert response.status == expected.pop("status")
    if "function" in expected:
        assert json.loads(got) == expected
    else:
        assert got.decode() == expected["body"]


def test_a_chunked_body_arrives_empty(recorded: EmbeddedHost) -> None:
    answer = raw(
        recorded,
        b"PUT /api/images/a.jpg HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
    )
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["body_bytes"] == 0


@pytest.mark.parametrize(("length", "status"), [(8190, 200), (8191, 414), (90_000, 414)])
def test_the_request_line_has_a_limit(recorded: EmbeddedHost, length: int, status: int) -> None:
    filler = length - len("GET /api/captions/ HTTP/1.1")
    answer = raw(
        recorded,
        b"GET /api/captions/%b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % (b"x" * filler),
    )
    assert status_of(answer) == status
    if status == 414:
        assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(("length", "status"), [(30_000, 200), (33_000, 431), (90_000, 431)])
def test_headers_have_a_limit(recorded: EmbeddedHost, length: int, status: int) -> None:
    answer = raw(
        recorded,
        b"GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-A: %b\r\n\r\n"
        % (b"x" * length),
    )
    assert status_of(answer) == status


def test_a_body_over_the_limit_is_refused(recorded: EmbeddedHost) -> None:
    head = b"PUT /api/images/a.jpg HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601\r\n\r\n"
    assert status_of(raw(recorded, head + b"x")) == 413


def test_nonsense_is_a_bad_request(recorded: EmbeddedHost) -> None:
    assert status_of(raw(recorded, b"nonsense\r\n\r\n")) == 400


def test_connections_are_kept(recorded: EmbeddedHost) -> None:
    connection = HTTPConnection(recorded.url.removeprefix("http://"), timeout=HUNG_SECONDS)
    ask_on(connection, "GET", "/api/health")
    first = connection.sock
    for method, target in (("HEAD", "/api/health"), ("GET", "/none"), ("PUT", "/api/images/a")):
        ask_on(connection, method, target, body=b"1" if method == "PUT" else None)
        assert connection.sock is first
    connection.close()


def test_head_has_the_length_and_no_body(recorded: EmbeddedHost) -> None:
    _, full = ask(recorded, "GET", "/api/health")
    response, body = ask(recorded, "HEAD", "/api/health")
    assert (int(response.headers["Content-Length"]), body) == (len(full), b"")


def test_a_raising_function_is_logged_with_its_traceback_and_without_the_key(
    recorded: EmbeddedHost, caplog: pytest.LogCaptureFixture
) -> None:
    target = "/api/health?code=very-secret"
    ask(recorded, "GET", target, {"x-raise": "1", "x-functions-key": "very-secret"})
    (record,) = caplog.records
    assert "health raised" in record.getMessage()
    assert record.exc_info
    assert "RuntimeError: as requested" in caplog.text
    assert "very-secret" not in caplog.text
