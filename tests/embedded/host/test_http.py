"""What the embedded host does beyond the recorded requests."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import azure.functions as func
import pytest

from captioning.embedded.host.embedded_host import EmbeddedHost
from captioning.embedded.host.functions import HostStartError
from testing.harness.embedded_http import ask, ask_on, declare, hosted, status_of
from testing.harness.waiting import HUNG_SECONDS


@pytest.mark.parametrize(
    ("method", "disabled", "status"),
    [("POST", "false", 200), ("HEAD", "", 200), ("POST", "true", 204), ("HEAD", "True", 204)],
)
def test_the_start_page_answers_what_no_function_does(
    method: str, disabled: str, status: int
) -> None:
    app = func.FunctionApp()
    declare(app, "gallery", "{ignored:maxlength(0)?}", ["GET"])
    with hosted(app, AzureWebJobsDisableHomepage=disabled) as host:
        assert ask(host, method, "/")[0].status == status
        assert b"gallery" in ask(host, "GET", "/")[1]


def test_half_an_upload_runs_nothing() -> None:
    runs = []
    app = func.FunctionApp()

    @app.route(route="put", methods=["PUT"])
    def put(req: func.HttpRequest) -> func.HttpResponse:
        runs.append(req)
        return func.HttpResponse()

    with hosted(app) as host:
        port = int(host.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), HUNG_SECONDS) as wire:
            wire.sendall(b"PUT /put HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
            wire.shutdown(socket.SHUT_WR)
            assert status_of(wire.recv(65_536)) == 400
    assert not runs


def test_an_empty_route_is_the_functions_name() -> None:
    app = func.FunctionApp()
    declare(app, "named", "", None)
    with EmbeddedHost(app, {}, {}) as host:
        assert ask(host, "DELETE", "/api/Named")[0].status == 200
        assert ask(host, "GET", "/named")[0].status == 404


def test_answers_keep_what_the_function_set() -> None:
    app = func.FunctionApp()

    @app.route(route="made")
    def made(req: func.HttpRequest) -> func.HttpResponse:
        headers = {"ETag": '"1"', "Content-Length": "999"}
        return func.HttpResponse("ä", status_code=201, headers=headers, mimetype="text/markdown")

    @app.route(route="unchanged")
    def unchanged(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(status_code=304, headers={"ETag": '"1"'})

    @app.route(route="broken")
    def broken(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(headers={"Location": "/ä"})

    with hosted(app) as host:
        response, body = ask(host, "GET", "/made")
        assert (response.status, body, response.headers["ETag"]) == (201, "ä".encode(), '"1"')
        assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
        response, body = ask(host, "GET", "/unchanged")
        assert (response.status, body, response.headers["ETag"]) == (304, b"", '"1"')
        assert ask(host, "GET", "/broken")[0].status == 500


def test_a_large_answer_arrives_whole() -> None:
    app = func.FunctionApp()

    @app.route(route="large")
    def large(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(req.get_body() * 4, mimetype="image/jpeg")

    with hosted(app) as host:
        sent = bytes(range(256)) * 8192
        response, body = ask(host, "POST", "/large", body=sent)
    assert response.headers["Content-Type"] == "image/jpeg"
    assert body == sent * 4


def test_plain_functions_share_a_bounded_number_of_threads() -> None:
    app, lock, running, most = func.FunctionApp(), threading.Lock(), 0, 0
    together = threading.Barrier(3, timeout=HUNG_SECONDS)

    @app.route(route="slow")
    def slow(req: func.HttpRequest) -> func.HttpResponse:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait()
        with lock:
            running -= 1
        return func.HttpResponse("slow")

    with (
        hosted(app, PYTHON_THREADPOOL_THREAD_COUNT="3") as host,
        ThreadPoolExecutor(12) as callers,
    ):
        answers = list(callers.map(lambda _: ask(host, "GET", "/slow")[1], range(12)))
    assert answers == [b"slow"] * 12
    assert most == 3


def test_stopping_lets_an_answer_go_out_and_ends_idle_connections() -> None:
    app, entered = func.FunctionApp(), threading.Event()

    @app.route(route="slow")
    def slow(req: func.HttpRequest) -> func.HttpResponse:
        entered.set()
        time.sleep(0.2)
        return func.HttpResponse("done")

    host = hosted(app)
    host.start()
    idle = HTTPConnection(host.url.removeprefix("http://"), timeout=HUNG_SECONDS)
    ask_on(idle, "GET", "/none")
    answers: list[bytes] = []
    caller = threading.Thread(target=lambda: answers.append(ask(host, "GET", "/slow")[1]))
    caller.start()
    assert entered.wait(HUNG_SECONDS)
    with ThreadPoolExecutor(1) as stopping:
        # It would wait for ever for an idle connection that it left open.
        assert stopping.submit(host.stop, 2 * HUNG_SECONDS).result(HUNG_SECONDS)
    caller.join()
    idle.close()
    assert answers == [b"done"]


@pytest.mark.parametrize(
    ("route", "named"),
    [("a/{x:guid}", "guid"), ("a/{x:length(2)}", "length(2)"), ("a/v{x}", "v{x}")],
)
def test_an_unknown_template_stops_the_start(route: str, named: str) -> None:
    app = func.FunctionApp()
    declare(app, "odd", route, ["GET"])
    with pytest.raises(HostStartError) as raised:
        hosted(app)
    assert "odd" in str(raised.value)
    assert named in str(raised.value)


def test_a_coroutine_stops_the_start() -> None:
    app = func.FunctionApp()

    @app.route(route="late")
    async def late(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse()

    with pytest.raises(HostStartError, match=r"late.*coroutine"):
        hosted(app)


def test_an_unknown_trigger_is_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    app = func.FunctionApp()
    declare(app, "known", "known", ["GET"])

    @app.mcp_tool_trigger(arg_name="call", tool_name="t", description="d", tool_properties="[]")
    def tool(call: str) -> str:
        return call

    with hosted(app) as host:
        assert ask(host, "GET", "/known")[0].status == 200
    (record,) = caplog.records
    assert "tool" in record.getMessage()
    assert "The binding type(s) 'mcpToolTrigger' are not registered" in record.getMessage()
