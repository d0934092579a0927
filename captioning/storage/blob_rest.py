"""Blobs over HTTP: the two requests that every run makes.

One attempt at each. Where the service does not say clearly what became of it the operation is
Unclear, and the caller asks azure-storage-blob, which tries again and names what is wrong.
https://learn.microsoft.com/rest/api/storageservices/get-blob
"""

from __future__ import annotations

import base64
import hashlib
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

from captioning.domain.blobs import BlobDescription, is_folder_marker
from captioning.errors import BlobChanged, BlobGone
from captioning.storage.authorization import Authorization
from captioning.storage.curl import Answered, Asked, Curl, Unclear
from captioning.storage.errors import own_code

METADATA = "x-ms-meta-"


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
        marks = {
            name.removeprefix(METADATA): value
            for name, value in told.items()
            if name.startswith(METADATA)
        }
        try:
            size = int(told["content-length"])
            return BlobDescription(
                path=path,
                bytes=size,
                etag=told["etag"],
                modified=parsedate_to_datetime(told["last-modified"]),
                sha256=marks.get(metadata),
                is_folder=is_folder_marker(size, marks),
            )
        except (KeyError, ValueError) as error:
            raise Unclear from error

    def read(self, blob: BlobDescription) -> bytes:
        """The content that was described. Raises BlobGone or BlobChanged."""
        answered = self._send("GET", blob.path, blob.etag)
        body, told = answered.body, answered.headers
        if len(body) != blob.bytes or told.get("etag") != blob.etag:
            raise Unclear
        if not has_known_hash(blob, body, told.get("content-md5")):
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
        refusal = answered.status, own_code(answered.headers)
        if refusal == (404, "BlobNotFound"):
            raise BlobGone(path)
        if refusal == (412, "ConditionNotMet"):
            raise BlobChanged(path)
        if answered.status != 200:
            raise Unclear
        return answered


def has_known_hash(blob: BlobDescription, body: bytes, md5: str | None) -> bool:
    """Whether the bytes are the described ones, as far as a hash is known.

    The service computes the MD5 of what it is sent in one request. Where the bytes fit that one, it
    is the SHA-256 that is wrong: another program has changed the image and kept its metadata.
    """
    if blob.sha256 is None or hashlib.sha256(body).hexdigest() == blob.sha256:
        return True
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return md5 is not None and base64.b64encode(digest).decode() == md5
