"""HTTP with an Azure AI Vision resource: its address, its credential, and requests to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from captioning.addresses import check_address, fits_a_header
from captioning.errors import (
    AuthRefused,
    ModelGone,
    ServiceDeferred,
    ServiceTimeout,
    ServiceUnavailable,
)
from captioning.images.rendition import InputLimits, Rendition
from captioning.transport import Answer, SessionFactory, ThreadSessions, Unanswered, send
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
        """The address that a link of the service points to; None if it is another server's."""
        try:
            parts = urlsplit(urljoin(self.address, link))
            own = bool(link) and _origin(parts) == self._origin
        except ValueError:
            return None
        return self._root + parts.path if own else None


class Credential:
    """A key, or a function that gets a Microsoft Entra token; ValueError unless there is just one
    of them."""

    def __init__(self, key: str | None, token: Callable[[], str] | None) -> None:
        if (key is None) == (token is None):
            raise ValueError("VISION_KEY or a token is needed, and not both")
        if key is not None and not fits_a_header(key):
            raise ValueError("VISION_KEY is empty or has characters that no key has")
        self._key, self._token = key, token

    def headers(self) -> dict[str, str]:
        """The header that authenticates the app; AuthRefused if the token is unusable."""
        if self._token is None:
            return {"Ocp-Apim-Subscription-Key": self._key or ""}
        token = self._token()
        if not fits_a_header(token):
            raise AuthRefused("The app's identity did not get a usable token for Azure AI Vision.")
        return {"Authorization": f"Bearer {token}"}


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return (parts.scheme, parts.hostname, port)


class VisionHttp:
    """Requests to the resource, by one session per thread; safe to share.

    Every request raises one of our errors unless it is answered with success. `limits` are those
    of the images that are sent, for the error of an image that is refused.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credential: Credential,
        limits: InputLimits,
        *,
        timeouts: tuple[float, float],
        pool_size: int,
        session: SessionFactory,
    ) -> None:
        self._endpoint = endpoint
        self._credential = credential
        self._limits = limits
        self._timeouts = timeouts
        self._sessions = ThreadSessions(session, pool_size=pool_size)

    def post(self, path: str, image: Rendition, query: dict[str, str]) -> Answer:
        """Sends the image."""
        return self._exchange(
            "POST", self._endpoint.address + path, image, query=query, body=image.data
        )

    def get(self, url: str, image: Rendition) -> Answer:
        """Reads the state of the operation that the image was sent to."""
        return self._exchange("GET", url, image)

    def close(self) -> None:
        """Closes every thread's connections."""
        self._sessions.close()

    def _exchange(
        self,
        method: str,
        url: str,
        image: Rendition,
        *,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        headers = self._credential.headers()
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        try:
            answer = send(
                self._sessions.get(),
                method,
                url,
                headers=headers,
                timeouts=self._timeouts,
                body=body,
                query=query,
            )
        except Unanswered as failure:
            raise _deferred(failure) from failure
        if not answer.is_success:
            refusal = Refusal.of(answer.status, answer.headers, answer.body)
            raise refusal.error(image, self._limits)
        return answer


def document(answer: Answer) -> Any:
    """The answer's JSON; ServiceUnavailable if it is cut off."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise ServiceUnavailable("Azure AI Vision's answer broke off or is unreadable.") from None


def _deferred(failure: Unanswered) -> ServiceDeferred:
    match failure.reason:
        case "timeout":
            return ServiceTimeout("Azure AI Vision did not answer in time.")
        case "address":
            return ModelGone("VISION_ENDPOINT is not an address that can be called.")
        case "header":
            return AuthRefused("VISION_KEY or the token cannot be sent as it is.")
        case "connection":
            return ServiceUnavailable(
                "Azure AI Vision could not be reached, or broke off its answer: check"
                " VISION_ENDPOINT and the network if this lasts."
            )
