"""HTTP by libcurl: what is asked thousands of times a minute costs a tenth of the SDK's time. The
home of pycurl.

One attempt each; no redirect is followed. A request without a whole answer gives None: the caller
decides whether it is sent again.
"""

from __future__ import annotations

import io
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pycurl

from captioning.addresses import is_loopback
from captioning.storage.sessions import CONNECT_SECONDS, READ_SECONDS, ExactPathSession

KEPT = 64
"""Idle connections for single requests."""


class Unclear(Exception):
    """The answer does not say clearly what became of the request."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; its headers as lines."""

    method: str
    url: str
    headers: tuple[str, ...]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A response; header names in lower case.

    `may_be_second`: a kept connection may have broken after the request was sent on it. libcurl
    then sends the request again on a new connection, whatever its method, and this is the answer.
    """

    status: int
    body: bytes
    headers: dict[str, str]
    may_be_second: bool = False


class Curl:
    """Connections, kept; safe to share between threads.

    A service that sends nothing for READ_SECONDS ends it. `direct` passes proxies by; `trust` is a
    file of certificate authorities."""

    def __init__(self, *, direct: bool = False, trust: str | None = None) -> None:
        self._direct = direct
        self._trust = trust
        self._idle: deque[pycurl.Curl] = deque(maxlen=KEPT)

    @classmethod
    def like(cls, session: ExactPathSession, url: str) -> Curl:
        """Connections to the address that trust whom the session trusts."""
        return cls(direct=is_loopback(urlsplit(url).hostname), trust=session.authorities(url))

    def send(self, asked: Asked) -> Answered | None:
        """The answer to one request."""
        try:
            handle, is_kept = self._idle.pop(), True
        except IndexError:
            handle, is_kept = self._handle(), False
        coming = _Coming()
        _prepare(handle, asked, coming)
        try:
            handle.perform()
        except pycurl.error:
            handle.close()
            return None
        answered = coming.answered(handle, is_kept=is_kept)
        self._idle.append(handle)  # from now on it is another thread's
        return answered

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


class _Coming:
    """A response that is being received."""

    def __init__(self) -> None:
        self.body = io.BytesIO()
        self.lines: list[bytes] = []

    def answered(self, handle: pycurl.Curl, *, is_kept: bool) -> Answered:
        """The whole of it. The handle keeps this object until its next use, but no body."""
        body = self.body.getvalue()
        self.body.close()
        headers: dict[str, str] = {}
        for line in self.lines:
            if line.startswith(b"HTTP/"):
                headers = {}  # before were those of an interim answer, or of a proxy's CONNECT
                continue
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                headers[name.lower()] = value.strip()
        may_be_second = is_kept and handle.getinfo(pycurl.NUM_CONNECTS) > 0
        return Answered(handle.getinfo(pycurl.RESPONSE_CODE), body, headers, may_be_second)


def _prepare(handle: pycurl.Curl, asked: Asked, coming: _Coming) -> None:
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
    handle.setopt(pycurl.HEADERFUNCTION, coming.lines.append)
