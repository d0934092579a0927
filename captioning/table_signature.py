"""How a request to the Table service says who asks: with the account's key, a token, or a signature
in its address.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

_JSON = "application/json"


class Authorization(Protocol):
    """What a request has of it."""

    @property
    def query(self) -> str:
        """In its address."""

    def headers(self, method: str, path: str) -> tuple[str, ...]:
        """Among its headers, with the time and the kind of its body."""


class SharedKey:
    """The account's key signs method, time and path."""

    query = ""

    def __init__(self, account: str, key: str) -> None:
        self._account, self._key = account, base64.b64decode(key)

    def headers(self, method: str, path: str) -> tuple[str, ...]:
        """Time, kind and signature."""
        date = formatdate(usegmt=True)
        said = f"{method}\n\n{_JSON}\n{date}\n/{self._account}{path}"
        digest = base64.b64encode(hmac.digest(self._key, said.encode(), "sha256")).decode()
        return (*_plain(date), f"Authorization: SharedKey {self._account}:{digest}")


class Bearer:
    """A token of Microsoft Entra, asked for anew with each request: its source keeps it."""

    query = ""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def headers(self, method: str, path: str) -> tuple[str, ...]:
        """Time, kind and token."""
        del method, path
        return (*_plain(formatdate(usegmt=True)), f"Authorization: Bearer {self._token()}")


class SharedAccess:
    """A shared access signature."""

    def __init__(self, signature: str) -> None:
        self.query = signature.removeprefix("?")

    def headers(self, method: str, path: str) -> tuple[str, ...]:
        """Time and kind."""
        del method, path
        return _plain(formatdate(usegmt=True))


def _plain(date: str) -> tuple[str, str]:
    return f"x-ms-date: {date}", f"Content-Type: {_JSON}"
