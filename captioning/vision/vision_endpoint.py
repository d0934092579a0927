"""The address of a Vision resource and what opens it: where a secret may go."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import SplitResult, urljoin, urlsplit

from captioning.addresses import check_address, fits_a_header
from captioning.errors import AuthRefused


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
