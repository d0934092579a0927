"""Blobs over HTTP: the two requests that every run makes.

One attempt at each. Where the service does not say clearly what became of it the operation is
Unclear, and the caller asks azure-storage-blob, which tries again and names what is wrong.
https://learn.microsoft.com/rest/api/storageservices/get-blob
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

from captioning.domain.blobs import BlobDescription
from captioning.errors import BlobChanged, BlobGone
from captioning.storage.authorization import Authorization
from captioning.storage.curl import Answered, Asked, Curl, Unclear


class BlobWire:
    """The blobs of a container at `url`; safe to share between threads."""

    def __init__(self, curl: Curl, url: str, version: str, authorization: Authorization) -> None:
        parts = urlsplit(url)
        self._curl = curl
        self._origin, self._path = f"{parts.scheme}://{parts.netloc}", parts.path
        self._version = version
        self._authorization = authorization

    def describe(self, path: str, metadata: str) -> BlobDescription:
        """Size, ETag, time, and the SHA-256 that this metadata holds. Raises BlobGone."""
        answered = self._send("HEAD", path)
        told = answered.headers
        try:
            return BlobDescription(
                path=path,
                bytes=int(told["content-length"]),
                etag=told["etag"],
                modified=parsedate_to_datetime(told["last-modified"]),
                sha256=told.get(f"x-ms-meta-{metadata}"),
            )
        except (KeyError, ValueError) as error:
            raise Unclear from error

    def read(self, blob: BlobDescription) -> bytes:
        """The content that was described. Raises BlobGone or BlobChanged."""
        body = self._send("GET", blob.path, blob.etag).body
        if len(body) != blob.bytes:
            raise Unclear
        return body

    def _send(self, method: str, path: str, match: str = "") -> Answered:
        where = f"{self._path}/{quote(path, safe='~/')}"
        query = self._authorization.query
        authorization = self._authorization.headers(method, where, match)
        headers = (*authorization, f"x-ms-version: {self._version}")
        headers += (f"If-Match: {match}",) if match else ()
        url = f"{self._origin}{where}" + f"?{query}" * bool(query)
        answered = self._curl.send(Asked(method, url, headers))
        if answered is None:
            raise Unclear
        refusal = answered.status, answered.headers.get("x-ms-error-code")
        if refusal == (404, "BlobNotFound"):
            raise BlobGone(path)
        if refusal == (412, "ConditionNotMet"):
            raise BlobChanged(path)
        if answered.status != 200:
            raise Unclear
        return answered
