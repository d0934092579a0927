"""Requests by libcurl: many threads, and answers that belong to their requests."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pycurl
import pytest

from captioning.storage.curl import Answered, Asked, Curl
from testing.azurite import free_ports
from testing.fakes.table_faults import RawServer
from testing.services.server import Received, Reply, WireServer

STATUS = (200, 404, 412, 503)


def echo(received: Received) -> Reply:
    """Says which request it answers, in each part of the answer."""
    number = received.path.removeprefix("/")
    return Reply(STATUS[int(number) % 4], f"{number} {received.method}".encode(), {"ETag": number})


def is_answer(answered: Answered | None, number: int, method: str) -> bool:
    return answered is not None and (
        (answered.status, answered.body) == (STATUS[number % 4], f"{number} {method}".encode())
    )


def test_each_thread_gets_the_answer_to_its_own_request() -> None:
    """Connections change hands all the time."""
    curl = Curl(direct=True)
    with WireServer(echo) as server, ThreadPoolExecutor(16) as pool:

        def ask(number: int) -> bool:
            answered = curl.send(Asked("GET", f"{server.url}/{number}", ()))
            told = answered.headers["etag"] if answered else ""
            return is_answer(answered, number, "GET") and told == str(number)

        assert all(pool.map(ask, range(400)))
    curl.close()


class Snatched(deque[pycurl.Curl]):
    """Another thread takes a connection as soon as it is put by."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def append(self, handle: pycurl.Curl) -> None:
        handle.setopt(pycurl.URL, f"{self._url}/3")
        handle.setopt(pycurl.WRITEFUNCTION, lambda _: None)
        handle.perform()
        super().append(handle)


def test_an_answer_is_read_before_its_connection_is_anothers() -> None:
    curl = Curl(direct=True)
    with WireServer(echo) as server:
        curl._idle = Snatched(server.url)
        assert is_answer(curl.send(Asked("GET", f"{server.url}/0", ())), 0, "GET")
        assert server.received[1].path == "/3"
    curl.close()


def test_a_connection_is_used_for_every_method_in_turn() -> None:
    """What one request was is forgotten with the next."""
    curl = Curl(direct=True)
    with WireServer(echo) as server:
        for number, (method, body) in enumerate(
            [("PUT", b"{}"), ("GET", None), ("DELETE", None), ("HEAD", None), ("GET", None)]
        ):
            answered = curl.send(Asked(method, f"{server.url}/{4 * number}", (), body))
            assert answered
            assert answered.status == 200
            expected = b"" if method == "HEAD" else f"{4 * number} {method}".encode()
            assert answered.body == expected
        sent = [received.body for received in server.received]
    assert sent == [b"{}", b"", b"", b"", b""]
    curl.close()


def test_where_nobody_listens_there_is_no_answer() -> None:
    [port] = free_ports(1)
    curl = Curl(direct=True)
    asked = Asked("GET", f"http://127.0.0.1:{port}/1", ())
    assert curl.send(asked) is None
    curl.close()


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    curl = Curl(direct=True)
    with WireServer(lambda _: Reply(307, b"", {"Location": "/1"})) as server:
        answered = curl.send(Asked("POST", f"{server.url}/0", (), b"{}"))
        assert answered
        assert (answered.status, answered.headers["location"]) == (307, "/1")
        assert [received.path for received in server.received] == ["/0"]
    curl.close()


@pytest.mark.parametrize("fault", [Reply(200, b"abcd", cut=True), Reply(reset=True)])
def test_a_request_without_a_whole_answer_has_none(fault: Reply) -> None:
    curl = Curl(direct=True)
    with WireServer(lambda _: fault) as server:
        assert curl.send(Asked("GET", f"{server.url}/0", ())) is None
    curl.close()


def test_headers_are_those_of_the_final_answer() -> None:
    """An interim answer has its own."""
    early = b"HTTP/1.1 103 Early Hints\r\nETag: early\r\nLink: </x>\r\n\r\n"
    final = b"HTTP/1.1 200 OK\r\nETag: final\r\nContent-Length: 2\r\n\r\nok"
    curl = Curl(direct=True)
    with RawServer([[early + final]]) as server:
        answered = curl.send(Asked("GET", f"{server.url}/0", ()))
    assert answered
    assert answered.headers == {"etag": "final", "content-length": "2"}
    curl.close()


def test_a_request_that_libcurl_repeats_on_a_new_connection_is_marked() -> None:
    """The kept connection breaks after the second request was sent on it."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    curl = Curl(direct=True)
    with RawServer([[ok, b""], [ok, ok]]) as server:
        asked = Asked("POST", f"{server.url}/0", (), b"{}")
        answers = [curl.send(asked) for _ in range(3)]
        assert server.requests == 4
    assert [answered and answered.may_be_second for answered in answers] == [False, True, False]
    curl.close()
