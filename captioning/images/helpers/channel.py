"""Messages between the app and a helper: a JSON object and bytes, over a socket.

Nothing is pickled: a helper that a picture has taken over can send facts that are wrong, and no
code.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

Said = dict[str, Any]
MOST_WORDS = 64 * 1024
"""Bytes of a message's JSON."""
_HEAD = struct.Struct("!II")


class Channel:
    """One end of the socket. Every method raises ConnectionError where the other process has
    ended."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def close(self) -> None:
        """Closes this end."""
        self._end.close()

    def send(self, said: Said, data: bytes = b"", until: float | None = None) -> None:
        """Sends a message. TimeoutError if the other end does not take it by `until`, a time of
        the monotonic clock."""
        words = json.dumps(said).encode()
        self._limit(until)
        self._end.sendall(_HEAD.pack(len(words), len(data)) + words)
        if data:
            self._limit(until)
            self._end.sendall(data)

    def has_answer(self, seconds: float) -> bool:
        """Whether something is there to be received, waiting for it that long at most."""
        self._end.settimeout(seconds)
        try:
            self._end.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        return True  # or the end of the other process, which `receive` finds

    def receive(self, most: int, until: float | None = None) -> tuple[Said, bytes]:
        """A message with `most` bytes at most. ValueError where it is malformed, TimeoutError where
        it is not there by `until`."""
        words, size = _HEAD.unpack(self._exactly(_HEAD.size, until))
        if words > MOST_WORDS or size > most:
            raise ValueError("the message is too long")
        try:
            said = json.loads(self._exactly(words, until))
        except RecursionError:
            raise ValueError("the message is too deep") from None
        if not isinstance(said, dict):
            raise ValueError("the message is not an object")
        return said, self._exactly(size, until)

    def _exactly(self, size: int, until: float | None) -> bytes:
        if until is None:  # the usual case in a helper: no copy of the picture
            whole = self._end.recv(size, socket.MSG_WAITALL) if size else b""
            if len(whole) == size:
                return whole
            raise ConnectionResetError
        data, got = bytearray(size), 0
        view = memoryview(data)
        while got < size:
            self._limit(until)
            count = self._end.recv_into(view[got:])
            if not count:
                raise ConnectionResetError
            got += count
        return bytes(data)

    def _limit(self, until: float | None) -> None:
        """Sets what is left of the time, and never 0, with which the socket would not wait."""
        left = None if until is None else max(0.001, until - time.monotonic())
        self._end.settimeout(left)
