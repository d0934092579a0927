"""The webhook at the wire: what is sent, and what each answer means."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from captioning.errors import (
    BadResponse,
    CaptioningError,
    EndpointRefused,
    ServiceThrottled,
    ServiceTimeout,
    ServiceUnavailable,
)
from captioning.webhook.client import WebhookClient
from testing.azurite import free_ports
from testing.services.server import Received, Reply, WireServer

BODY = b'{"type": "image.captioned"}'
HEADERS = {"content-type": "application/json", "webhook-id": "msg_1"}


@pytest.fixture
def server() -> Iterator[WireServer]:
    with WireServer(lambda _: Reply(204)) as made:
        yield made


def receiver(server: WireServer, answer_seconds: float = 5.0) -> WebhookClient:
    return WebhookClient(f"{server.url}/t0ken?code=t0ken", timeouts=(5.0, answer_seconds))


def refused(server: WireServer, reply: Reply, answer_seconds: float = 5.0) -> CaptioningError:
    """What is raised for an answer; the address is not in it, nor in what it was raised from."""
    server.faults.append(reply)
    with pytest.raises(CaptioningError) as caught:
        receiver(server, answer_seconds).post(BODY, HEADERS)
    assert "t0ken" not in caught.value.message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_the_body_goes_to_the_address_as_it_is(server: WireServer) -> None:
    receiver(server).post(BODY, HEADERS)
    [received] = server.received
    assert (received.method, received.path, received.query) == (
        "POST",
        "/t0ken",
        [("code", "t0ken")],
    )
    assert received.body == BODY
    assert HEADERS.items() <= received.headers.items()
    assert "authorization" not in received.headers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_will_do_and_is_not_read(server: WireServer, status: int) -> None:
    server.faults.append(Reply(status, b"" if status == 204 else b"x" * 5_000_000, cut=True))
    receiver(server).post(BODY, HEADERS)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: WireServer, status: int) -> None:
    error = refused(server, Reply(status, headers={"Location": f"{server.url}/elsewhere"}))
    assert isinstance(error, EndpointRefused)
    assert [received.path for received in server.received] == ["/t0ken"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, EndpointRefused) for status in (401, 403, 404, 405)),
        *((status, ServiceUnavailable) for status in (400, 408, 413, 422, 500, 502, 503, 504)),
        (429, ServiceThrottled),
        (410, BadResponse),
    ],
)
def test_what_an_answer_means(server: WireServer, status: int, kind: type[CaptioningError]) -> None:
    assert type(refused(server, Reply(status, b"<t0ken>"))) is kind


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read(server: WireServer, status: int) -> None:
    error = refused(server, Reply(status, headers={"Retry-After": "77"}))
    assert isinstance(error, ServiceThrottled | ServiceUnavailable)
    assert error.retry_after == 77


def test_no_answer_is_for_later(server: WireServer) -> None:
    assert isinstance(refused(server, Reply(delay=30), 0.05), ServiceTimeout)
    assert isinstance(refused(server, Reply(reset=True)), ServiceUnavailable)
    nobody = WebhookClient(f"http://127.0.0.1:{free_ports(1)[0]}/t0ken")
    with pytest.raises(ServiceUnavailable) as caught:
        nobody.post(BODY, HEADERS)
    assert "t0ken" not in caught.value.message


def test_an_answer_that_is_no_http_leaves_no_address_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """urllib3 would warn of the second one with the address."""
    answers = [b"nonsense\r\n\r\n", b"HTTP/1.1 204 No Content\r\nbroken\r\nA: b\r\n\r\n"]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        asked = WebhookClient(f"http://127.0.0.1:{listener.getsockname()[1]}/t0ken")
        with caplog.at_level(logging.INFO):
            with pytest.raises(ServiceUnavailable):
                asked.post(BODY, HEADERS)
            asked.post(BODY, HEADERS)
        thread.join()
    assert "t0ken" not in caplog.text


def test_a_netrc_and_proxies_of_the_environment_are_left_alone(
    server: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_ports(1)[0]}")
    receiver(server).post(BODY, HEADERS)
    assert len(server.received) == 1


def test_a_record_as_large_as_there_are_goes_out_whole() -> None:
    def answered(received: Received) -> Reply:
        return Reply(200 if len(received.body) == 3 * 2**20 else 400)

    with WireServer(answered) as server:
        receiver(server).post(b"x" * 3 * 2**20, HEADERS)
