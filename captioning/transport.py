"""HTTP by `requests`, to what has no SDK: Vision, the webhook's receiver, and our own host.

A request is made once. Redirects are not followed, because they would carry the key elsewhere, and
proxies and netrc of the environment are ignored. Storage has a session class of its own, which
azure-core needs.
"""

from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

SessionFactory = Callable[[], requests.Session]
NEW_SESSION: SessionFactory = requests.Session
_BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.URLRequired,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, whatever its status; names of `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


class Unanswered(Exception):
    """A request got no answer. The exception of `requests` that it was raised from may quote the
    address, and so a secret in it."""

    def __init__(self, reason: Literal["timeout", "address", "header", "connection"]) -> None:
        super().__init__(reason)
        self.reason = reason


def open_session(new: SessionFactory = NEW_SESSION, *, pool_size: int = 1) -> requests.Session:
    """A session that keeps up to `pool_size` connections to one host."""
    session = new()
    session.trust_env = False
    pool = HTTPAdapter(pool_connections=1, pool_maxsize=pool_size, max_retries=0)
    for scheme in ("https://", "http://"):
        session.mount(scheme, pool)
    return session


class ThreadSessions:
    """A session for each thread, which ends with the thread; safe to share."""

    def __init__(self, new: SessionFactory = NEW_SESSION, *, pool_size: int = 1) -> None:
        self._new = new
        self._pool_size = pool_size
        self._own = threading.local()
        self._open: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    def get(self) -> requests.Session:
        """This thread's session."""
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = open_session(self._new, pool_size=self._pool_size)
            with self._lock:
                self._open.add(session)
        return session

    def close(self) -> None:
        """Closes every thread's connections."""
        with self._lock:
            for session in self._open:
                session.close()


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    timeouts: tuple[float, float],
    body: bytes | None = None,
    query: Mapping[str, str] | None = None,
    reads_body: bool = True,
) -> Answer:
    """One request, and its answer whatever the status; Unanswered if there is none.

    `timeouts` are seconds to connect and to wait for bytes. Without `reads_body` only status and
    headers are read.
    """
    try:
        with session.request(
            method,
            url,
            params=query,
            # A file is sent in pieces, each of which has the connect timeout. Bytes are sent in one
            # call, which has that time for all of them.
            data=None if body is None else io.BytesIO(body),
            headers=headers,
            timeout=timeouts,
            allow_redirects=False,
            stream=not reads_body,
        ) as answer:
            content = answer.content if reads_body else b""
            return Answer(answer.status_code, answer.headers, content)
    except (OSError, HTTPError, ValueError) as error:
        raise _unanswered(error) from error


def ask_local(url: str, seconds: float) -> Answer | None:
    """The answer of our own host on this machine to a GET; None if there is none in time."""
    with open_session() as session:
        try:
            return send(session, "GET", url, headers={}, timeouts=(seconds, seconds))
        except Unanswered:
            return None


def _unanswered(error: Exception) -> Unanswered:
    is_slow = isinstance(error, requests.Timeout)
    if is_slow or any(isinstance(cause, ReadTimeoutError) for cause in error.args):
        return Unanswered("timeout")
    if isinstance(error, _BAD_ADDRESS):
        return Unanswered("address")
    if isinstance(error, requests.exceptions.InvalidHeader):
        return Unanswered("header")
    return Unanswered("connection")
