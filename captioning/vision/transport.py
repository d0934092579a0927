"""HTTP with an Azure AI Vision resource: its address, what opens it, and requests to it."""

from __future__ import annotations

import io
import json
import threading
import weakref
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

from captioning.addresses import check_address, fits_a_header
from captioning.errors import (
    AuthRefused,
    ModelGone,
    ServiceDeferred,
    ServiceTimeout,
    ServiceUnavailable,
)
from captioning.images.rendition import InputLimits, Rendition
from captioning.vision.refusals import Refusal


class Endpoint:
    """A base address that a secret may be sent to: https, or a loopback one.

    ValueError otherwise; it does not quote the address.
    """

    def __init__(self, address: str) -> None:
        parts = check_address(address, "VISION_ENDPOINT")
        self._origin = _origin(parts)
        self.address = address.rstrip("/")
        self._root = f"{parts.scheme}://{parts.netloc}"

    def own(self, link: str) -> str | None:
        """The address a link of the service points to; None when it is another server's."""
        try:
            parts = urlsplit(urljoin(self.address, link))
            own = bool(link) and _origin(parts) == self._origin
        except ValueError:
            return None
        return self._root + parts.path if own else None


class Credential:
    """A key, or what gets a Microsoft Entra token; ValueError unless there is just one."""

    def __init__(self, key: str | None, token: Callable[[], str] | None) -> None:
        if (key is None) == (token is None):
            raise ValueError("VISION_KEY or a token is needed, and not both")
        if key is not None and not fits_a_header(key):
            raise ValueError("VISION_KEY is empty or has characters that no key has")
        self._key, self._token = key, token

    def headers(self) -> dict[str, str]:
        """What identifies the app; AuthRefused where the token is none."""
        if self._token is None:
            return {"Ocp-Apim-Subscription-Key": self._key or ""}
        token = self._token()
        if not fits_a_header(token):
            raise AuthRefused("The app's identity did not get a usable token for Azure AI Vision.")
        return {"Authorization": f"Bearer {token}"}


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return (parts.scheme, parts.hostname, port)


_BAD_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.URLRequired,
)


class VisionHttp:
    """One request at a time and thread, each of which has its own session; safe to share.

    Every request raises one of our errors where there is no successful answer. `limits` are those
    of the images that are sent, for what a refusal is to say.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credential: Credential,
        limits: InputLimits,
        *,
        timeouts: tuple[float, float],
        pool_size: int,
        session: Callable[[], requests.Session],
    ) -> None:
        self._endpoint = endpoint
        self._credential = credential
        self._limits = limits
        self._timeouts = timeouts
        self._pool_size = pool_size
        self._new_session = session
        self._own = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    def post(self, path: str, image: Rendition, query: dict[str, str]) -> requests.Response:
        """Sends the image."""
        url = self._endpoint.address + path
        # a file goes out in pieces, each in the connect timeout; of bytes, all have to
        return self._exchange("POST", url, image, params=query, data=io.BytesIO(image.data))

    def get(self, url: str, image: Rendition) -> requests.Response:
        """Asks for what became of the image."""
        return self._exchange("GET", url, image)

    def close(self) -> None:
        """Closes every thread's connections."""
        with self._lock:
            for session in self._sessions:
                session.close()

    def _exchange(
        self, method: str, url: str, image: Rendition, **content: Any
    ) -> requests.Response:
        headers = self._credential.headers()
        if "data" in content:
            headers["Content-Type"] = "application/octet-stream"
        try:
            answer = self._session().request(
                method,
                url,
                headers=headers,
                timeout=self._timeouts,
                allow_redirects=False,
                **content,
            )
        except (OSError, HTTPError, ValueError) as error:
            raise _unanswered(error) from error
        if not 200 <= answer.status_code < 300:
            refusal = Refusal.of(answer.status_code, answer.headers, answer.content)
            raise refusal.error(image, self._limits)
        return answer

    def _session(self) -> requests.Session:
        """This thread's session. The environment's proxies and netrc do not get at it."""
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._new_session()
            session.trust_env = False
            pool = HTTPAdapter(pool_connections=1, pool_maxsize=self._pool_size, max_retries=0)
            for scheme in ("https://", "http://"):
                session.mount(scheme, pool)
            self._own.session = session
            with self._lock:
                self._sessions.add(session)
        return session


def document(answer: requests.Response) -> Any:
    """The answer's JSON; ServiceUnavailable where it broke off."""
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        raise ServiceUnavailable("Azure AI Vision's answer broke off or is unreadable.") from None


def _unanswered(error: Exception) -> ServiceDeferred:
    """A request that got no answer, by what `requests` says of it."""
    slow = isinstance(error, requests.Timeout)
    if slow or any(isinstance(cause, ReadTimeoutError) for cause in error.args):
        return ServiceTimeout("Azure AI Vision did not answer in time.")
    if isinstance(error, _BAD_ADDRESS):
        return ModelGone("VISION_ENDPOINT is not an address that can be asked.")
    if isinstance(error, requests.exceptions.InvalidHeader):
        return AuthRefused("VISION_KEY or the token cannot be sent as it is.")
    return ServiceUnavailable(
        "Azure AI Vision could not be reached, or broke off its answer: check VISION_ENDPOINT and"
        " the network where this lasts."
    )
