"""How a request to storage says who asks: signed with the account's key, by a token, or by a
signature in its address.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from captioning.errors import CaptioningError
from captioning.storage.curl import Unclear

SCOPE = "https://storage.azure.com/.default"
JSON = "application/json"


class Authorization(Protocol):
    """What a request has of it."""

    @property
    def query(self) -> str:
        """In its address."""

    def headers(
        self, method: str, path: str, match: str = "", content_type: str = JSON
    ) -> tuple[str, ...]:
        """Among its headers, with the time. The request has to send `match` as its If-Match, and
        `content_type`."""


class SharedKey:
    """The account's key signs what is asked."""

    query = ""

    def __init__(self, account: str, key: str) -> None:
        self._account, self._key = account, base64.b64decode(key)

    def headers(
        self, method: str, path: str, match: str = "", content_type: str = JSON
    ) -> tuple[str, ...]:
        """Time and signature."""
        date = formatdate(usegmt=True)
        said = f"{self._said(method, date, match, content_type)}/{self._account}{path}"
        digest = base64.b64encode(hmac.digest(self._key, said.encode(), "sha256")).decode()
        return f"x-ms-date: {date}", f"Authorization: SharedKey {self._account}:{digest}"

    def _said(self, method: str, date: str, match: str, content_type: str) -> str:
        """What is signed, up to the path."""
        raise NotImplementedError


class TableKey(SharedKey):
    """For tables."""

    def _said(self, method: str, date: str, match: str, content_type: str) -> str:
        del match
        return f"{method}\n\n{content_type}\n{date}\n"


class BlobKey(SharedKey):
    """For requests to blobs that have no body."""

    def __init__(self, account: str, key: str, version: str) -> None:
        super().__init__(account, key)
        self._version = version

    def _said(self, method: str, date: str, match: str, content_type: str) -> str:
        del content_type
        own = f"x-ms-date:{date}\nx-ms-version:{self._version}\n"
        return f"{method}\n\n\n\n\n\n\n\n{match}\n\n\n\n{own}"


class Bearer:
    """A token of Microsoft Entra, asked for anew with each request: its source keeps it."""

    query = ""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def headers(
        self, method: str, path: str, match: str = "", content_type: str = JSON
    ) -> tuple[str, ...]:
        """Time and token; Unclear where there is none: the SDK names what is wrong."""
        del method, path, match, content_type
        try:
            token = self._token()
        except CaptioningError as error:
            raise Unclear from error
        return f"x-ms-date: {formatdate(usegmt=True)}", f"Authorization: Bearer {token}"


class SharedAccess:
    """A shared access signature."""

    def __init__(self, signature: str) -> None:
        self.query = signature.removeprefix("?")

    def headers(
        self, method: str, path: str, match: str = "", content_type: str = JSON
    ) -> tuple[str, ...]:
        """The time."""
        del method, path, match, content_type
        return (f"x-ms-date: {formatdate(usegmt=True)}",)
