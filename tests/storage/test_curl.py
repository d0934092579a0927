"""Requests by libcurl: many threads, many requests, and answers that belong to them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pycurl

from captioning.storage.curl import LANE_WIDTH, Answered, Asked, Curl
from testing.azurite import free_ports
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


def test_many_requests_get_their_answers_in_their_order() -> None:
    curl = Curl(direct=True)
    numbers = range(5 * LANE_WIDTH + 1)
    with WireServer(echo) as server:
        asked = [Asked("PUT", f"{server.url}/{number}", (), b"{}") for number in numbers]
        answers = curl.send_all(asked)
    assert all(is_answer(answered, at, "PUT") for at, answered in enumerate(answers))
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
    assert curl.send_all([asked] * 40) == [None] * 40
    curl.close()
