"""A requests session for storage: a blob's path goes out as it is written, a body in pieces.

requests and urllib3 resolve `.` and `..` segments in a URL, but a blob may be called `a/../b.jpg`.
The storage SDK signs the path as written, so a resolved one reads another blob or fails to sign in.

urllib3 gives the connect timeout to the sending of a body, and `sendall` counts it over all of the
bytes it is given: 50 MiB in five seconds. A file is sent in pieces, each with that time.
"""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Request, Session
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

CONNECT_SECONDS = 5
READ_SECONDS = 15
RETRIES = 2
PATIENCE = {
    "connection_timeout": CONNECT_SECONDS,
    "read_timeout": READ_SECONDS,
    "retry_total": RETRIES,
    "permit_redirects": False,
}
"""Options of every storage client. A redirect would have another host answer for the account."""
BACKOFF = {"initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1}
"""Seconds, for blob and queue clients; their own are 15 and more."""
OPERATION_SECONDS = (RETRIES + 1) * (CONNECT_SECONDS + READ_SECONDS) + 10
"""All attempts at one operation, with the waits between them."""


class ExactPathSession(Session):
    """For azure-core's RequestsTransport; `pool` is the number of kept connections."""

    def __init__(self, pool: int) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, HTTPAdapter(pool_connections=4, pool_maxsize=pool))
        self._environment: dict[tuple[object, ...], Any] = {}

    def merge_environment_settings(
        self,
        url: Any,
        proxies: Any,
        stream: bool | None,  # noqa: FBT001 - the signature is that of requests
        verify: Any,
        cert: Any,
    ) -> Any:
        """Proxies and certificates that the environment names, looked up once a host: requests does
        so for every call, which takes an eighth of its time."""
        if proxies:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        asked = (urlsplit(url)[:2], stream, verify, cert)
        if asked not in self._environment:
            self._environment[asked] = super().merge_environment_settings(
                url, proxies, stream, verify, cert
            )
        return self._environment[asked]

    def authorities(self, url: str) -> str:
        """The file of certificate authorities that are trusted for an address."""
        verify = self.merge_environment_settings(url, {}, None, None, None)["verify"]
        return verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH

    def prepare_request(self, request: Request) -> PreparedRequest:
        """The request with the dot segments of its path kept, and its body as a file."""
        prepared = super().prepare_request(request)
        if isinstance(prepared.body, bytes):
            # requests takes a file here; its stubs know of bytes and text only.
            prepared.body = io.BytesIO(prepared.body)  # type: ignore[assignment]
        url = str(request.url)
        if {".", ".."}.intersection(url.partition("?")[0].split("/")):
            prepared.url = url
        return prepared
