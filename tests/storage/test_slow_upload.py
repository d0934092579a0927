"""A slow line: the connect timeout is for each piece that is sent, not for all of them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from captioning.errors import ServiceThrottled
from captioning.images.rendition import Rendition
from captioning.storage.sessions import ExactPathSession
from captioning.vision.client import VisionClient

SIZE = 16_000_000
"""More than the buffers of both sockets hold."""
PIECE = 65_536
CONNECT_SECONDS = 0.5


@pytest.fixture
def slow_server() -> Iterator[str]:
    """Takes in a body over about three times the connect timeout, then answers 429."""
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=_serve, args=[listener])
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def _serve(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        left = SIZE
        while left > 0 and (piece := connection.recv(PIECE)):
            left -= len(piece)
            time.sleep(3 * CONNECT_SECONDS / (SIZE / PIECE))
        if left <= 0:
            connection.sendall(b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n")


def test_a_picture_reaches_vision_over_a_slow_line(slow_server: str) -> None:
    client = VisionClient(endpoint=slow_server, key="k", timeouts=(CONNECT_SECONDS, 30))
    with pytest.raises(ServiceThrottled):
        client.analyze(Rendition(b"x" * SIZE, "image/jpeg", 640, 480, 1, (640, 480)))
    client.close()


def test_a_blob_reaches_storage_over_a_slow_line(slow_server: str) -> None:
    with ExactPathSession(pool=1) as session:
        answer = session.put(f"{slow_server}/a/b", data=b"x" * SIZE, timeout=(CONNECT_SECONDS, 30))
    assert answer.status_code == 429
    assert answer.request.headers["Content-Length"] == str(SIZE)
