"""HTTP by libcurl: what is asked thousands of times a minute costs a tenth of the SDK's time. The
home of pycurl.

One attempt each. What gets no answer is None: the caller goes the SDK's way, which tries again,
and names what is wrong.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import LifoQueue
from urllib.parse import urlsplit

import pycurl

from captioning.addresses import is_loopback
from captioning.storage.sessions import CONNECT_SECONDS, READ_SECONDS, ExactPathSession

LANES, LANE_WIDTH = 4, 16
"""So many callers at a time may send many requests; each has so many on their way."""
KEPT = 64
"""Idle connections for single requests."""


class Unclear(Exception):
    """What became of a request has to be asked the slow way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; its headers as lines."""

    method: str
    url: str
    headers: tuple[str, ...]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A response; header names in lower case."""

    status: int
    body: bytes
    headers: dict[str, str]


class Curl:
    """Connections, kept; safe to share between threads.

    A service that sends nothing for READ_SECONDS ends it. `direct` passes proxies by; `trust` is a
    file of certificate authorities."""

    def __init__(self, *, direct: bool = False, trust: str | None = None) -> None:
        self._direct = direct
        self._trust = trust
        self._idle: deque[pycurl.Curl] = deque(maxlen=KEPT)
        self._lanes: LifoQueue[_Lane | None] = LifoQueue()
        for _ in range(LANES):
            self._lanes.put(None)

    @classmethod
    def like(cls, session: ExactPathSession, url: str) -> Curl:
        """Connections to the address that trust whom the session trusts."""
        return cls(direct=is_loopback(urlsplit(url).hostname), trust=session.authorities(url))

    def send(self, asked: Asked) -> Answered | None:
        """The answer to one request."""
        try:
            handle = self._idle.pop()
        except IndexError:
            handle = self._handle()
        coming = _Coming()
        _prepare(handle, asked, coming)
        try:
            handle.perform()
        except pycurl.error:
            handle.close()
            return None
        answered = coming.answered(handle)
        self._idle.append(handle)  # from now on it is another thread's
        return answered

    def send_all(
        self, asked: Sequence[Asked], *, with_headers: bool = False
    ) -> list[Answered | None]:
        """The answers to many requests, in their order. After one without an answer no other is
        begun."""
        lane = self._lanes.get()
        try:
            lane = lane or _Lane([self._handle() for _ in range(LANE_WIDTH)])
            return lane.send_all(asked, with_headers=with_headers)
        except BaseException:
            lane = None
            raise
        finally:
            self._lanes.put(lane)

    def close(self) -> None:
        """Closes what is idle."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _handle(self) -> pycurl.Curl:
        handle = pycurl.Curl()
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.CONNECTTIMEOUT, CONNECT_SECONDS)
        handle.setopt(pycurl.LOW_SPEED_TIME, READ_SECONDS)
        handle.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        handle.setopt(pycurl.PATH_AS_IS, 1)
        if self._trust:
            handle.setopt(pycurl.CAINFO, self._trust)
        if self._direct:
            handle.setopt(pycurl.PROXY, "")
        return handle


class _Lane:
    """Sends many requests side by side, from one thread."""

    def __init__(self, handles: list[pycurl.Curl]) -> None:
        self._idle = handles
        self._multi = pycurl.CurlMulti()
        self._under_way: dict[pycurl.Curl, tuple[int, _Coming]] = {}

    def send_all(self, asked: Sequence[Asked], *, with_headers: bool) -> list[Answered | None]:
        answers: list[Answered | None] = [None] * len(asked)
        waiting = deque(enumerate(asked))
        while waiting or self._under_way:
            while waiting and self._idle:
                self._begin(*waiting.popleft(), with_headers=with_headers)
            self._multi.perform()
            if not self._collect(answers):
                waiting.clear()
            if self._under_way and not (waiting and self._idle):
                self._multi.select(1.0)
        return answers

    def _begin(self, number: int, asked: Asked, *, with_headers: bool) -> None:
        handle, coming = self._idle.pop(), _Coming()
        _prepare(handle, asked, coming, with_headers=with_headers)
        self._under_way[handle] = number, coming
        self._multi.add_handle(handle)

    def _collect(self, answers: list[Answered | None]) -> bool:
        """Takes what has ended; whether all of it was answered."""
        all_well = True
        while True:
            left, ended, failed = self._multi.info_read()
            for handle in ended:
                number, coming = self._end(handle)
                answers[number] = coming.answered(handle)
            for handle, *_ in failed:
                self._end(handle)
                all_well = False
            if not left:
                return all_well

    def _end(self, handle: pycurl.Curl) -> tuple[int, _Coming]:
        self._multi.remove_handle(handle)
        self._idle.append(handle)
        return self._under_way.pop(handle)


class _Coming:
    """A response that is being received."""

    def __init__(self) -> None:
        self.body = io.BytesIO()
        self.lines: list[bytes] = []

    def answered(self, handle: pycurl.Curl) -> Answered:
        """The whole of it. The handle keeps this object until its next use, but no body."""
        body = self.body.getvalue()
        self.body.close()
        pairs = (line.decode("latin-1").partition(":") for line in self.lines)
        headers = {name.lower(): value.strip() for name, colon, value in pairs if colon}
        return Answered(handle.getinfo(pycurl.RESPONSE_CODE), body, headers)


def _prepare(
    handle: pycurl.Curl, asked: Asked, coming: _Coming, *, with_headers: bool = True
) -> None:
    handle.setopt(pycurl.NOBODY, asked.method == "HEAD")
    if asked.method == "HEAD":
        pass
    elif asked.body is None:
        handle.setopt(pycurl.HTTPGET, 1)
    else:
        handle.setopt(pycurl.POSTFIELDS, asked.body)
    handle.setopt(pycurl.CUSTOMREQUEST, asked.method)
    handle.setopt(pycurl.URL, asked.url)
    handle.setopt(pycurl.HTTPHEADER, [*asked.headers, "Expect:"])
    handle.setopt(pycurl.WRITEDATA, coming.body)
    if with_headers:  # a call for each line
        handle.setopt(pycurl.HEADERFUNCTION, coming.lines.append)
    else:
        handle.unsetopt(pycurl.HEADERFUNCTION)
