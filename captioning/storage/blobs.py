"""The container of images."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
)
from azure.storage.blob import BlobProperties, ContainerClient, ContentSettings

from captioning.domain.blobs import BlobDescription, ContainerIdentity, is_folder_marker
from captioning.errors import (
    BlobArchived,
    BlobChanged,
    BlobGone,
    BlobInUse,
    BlobRefused,
    BlobUnreadable,
    StorageUnavailable,
)
from captioning.storage.blob_rest import BlobWire, has_known_hash
from captioning.storage.curl import Unclear
from captioning.storage.errors import own_code, storage_answers
from captioning.storage.sessions import RETRIES

log = logging.getLogger("captioning.storage")

SHA256_METADATA = "sha256"
"""Metadata on what the app uploads: the content's SHA-256 in hex, so that it is not sent again."""
ID_METADATA = "captionsid"
"""Metadata on the container: what its ETag was before it had this. The Blob service has no other
sign that a container was made again; every process that is first finds the same ETag."""

ANY = "*"
"""In place of an ETag."""
CHANGED = {(412, "ConditionNotMet"), (409, "BlobAlreadyExists")}
PASSING = frozenset({401, 403, 404, 408, 412, 429})
"""Statuses of 4xx that an operator's repair or the next attempt ends, for all blobs alike."""
OF_ALL = ("Account", "Container")
"""Codes that begin so are about more than one blob: ContainerBeingDeleted, AccountIsDisabled."""
ARCHIVED = frozenset({"BlobArchived", "BlobBeingRehydrated"})
PROTECTED = ("Lease", "SnapshotsPresent", "BlobImmutable")
ENCRYPTED = "BlobUsesCustomerSpecifiedEncryption"
"""https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes"""

Page = tuple[list[BlobDescription], str | None]
"""Blobs, and where the next page begins."""


class ImageContainer:
    """Blobs by path, through one pool of connections; safe to share between threads.

    What a run asks raises StorageUnavailable where storage does not answer as it should.
    """

    def __init__(self, client: ContainerClient, wire: BlobWire, retries: int = RETRIES) -> None:
        self._client = client
        self._wire = wire
        self._again = max(0, retries - 1)  # of what the wire has tried once

    @property
    def name(self) -> str:
        """Of the container."""
        return str(self._client.container_name)

    @storage_answers
    def describe(self, path: str) -> BlobDescription:
        """Size, ETag and time of a blob; BlobGone when there is none."""
        with suppress(Unclear):
            return self._wire.describe(path, SHA256_METADATA)
        try:
            with _of_the_blob(path, is_read=True):
                return _description(
                    self._client.get_blob_client(path).get_blob_properties(retry_total=self._again),
                    path,
                )
        except BlobRefused:  # it is encrypted with a key of the customer's, say
            return self._listed(path)

    @storage_answers
    def read(self, blob: BlobDescription) -> bytes:
        """The content that was described; BlobChanged when it is not there any more, or when its
        bytes have another hash than was described. BlobRefused when the service does not give it.
        """
        with suppress(Unclear):
            return self._wire.read(blob)
        client = self._client.get_blob_client(blob.path)
        with _of_the_blob(blob.path, is_read=True):
            answer = client.download_blob(
                etag=blob.etag,
                match_condition=MatchConditions.IfNotModified,
                retry_total=self._again,
            )
            body = answer.readall()
        if len(body) != blob.bytes or _quoted(answer.properties.etag) != blob.etag:
            raise StorageUnavailable("storage answered with another blob than it was asked for")
        md5 = answer.properties.content_settings.content_md5
        if not has_known_hash(blob, body, base64.b64encode(md5).decode() if md5 else None):
            log.warning("The bytes of an image do not have the hash in its metadata `sha256`")
            # Not StorageUnavailable, after which the image would be read again without an end.
            raise BlobChanged(blob.path)
        return body

    @storage_answers
    def write(
        self,
        path: str,
        data: IO[bytes],
        sha256: str,
        media_type: str,
        *,
        replaces: str | None,
    ) -> str:
        """Uploads in one commit, so that one event is sent; the blob's ETag.

        It `replaces` the version with this ETag, or any for `*`; None for a new blob. BlobChanged
        where something else is there, or nothing: the service itself compares.
        """
        condition: dict[str, Any] = {"overwrite": replaces is not None}
        if replaces == ANY:
            condition["match_condition"] = MatchConditions.IfPresent
        elif replaces is not None:
            condition |= {"etag": replaces, "match_condition": MatchConditions.IfNotModified}
        try:
            with _of_the_blob(path):
                answer = self._client.get_blob_client(path).upload_blob(
                    data,
                    metadata={SHA256_METADATA: sha256},
                    content_settings=ContentSettings(content_type=media_type),
                    **condition,
                )
        except BlobGone as error:
            raise BlobChanged(path) from error
        return _quoted(str(answer["etag"]))

    @storage_answers
    def delete(self, path: str, etag: str | None = None) -> None:
        """Deletes the blob and its snapshots; BlobGone when there is none, BlobChanged when it has
        another ETag."""
        condition: dict[str, Any] = {}
        if etag:
            condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        with _of_the_blob(path):
            self._client.get_blob_client(path).delete_blob("include", **condition)

    @storage_answers
    def page(self, size: int, marker: str | None) -> Page:
        """Up to `size` blobs from a marker on, by path, and the next marker; None at the end.
        A page may be short, even empty."""
        found = self._client.list_blobs(include=["metadata"], results_per_page=size)
        pages: Any = found.by_page(marker)
        blobs = [_description(blob, blob.name) for blob in next(pages, ())]
        return blobs, pages.continuation_token or None

    @storage_answers
    def identity(self) -> ContainerIdentity:
        """Which container this is. At the first call the id is written into its metadata."""
        found = self._client.get_container_properties()
        metadata = dict(found.metadata or {})
        made = metadata.get(ID_METADATA, "")
        if not made:
            made = str(found.etag).strip('"')
            try:
                self._client.set_container_metadata({**metadata, ID_METADATA: made})
            except HttpResponseError as error:
                if error.status_code != 403:
                    raise
                made = ""  # a shared access signature, say, that does not allow it
        return ContainerIdentity(str(self._client.account_name), self.name, made)

    def _listed(self, path: str) -> BlobDescription:
        """What the listing says of a blob whose properties the service does not give."""
        found = self._client.list_blobs(name_starts_with=path, results_per_page=1)
        blob = next(iter(found), None)  # listings are in the order of names: a prefix comes first
        if blob is None or blob.name != path:
            raise StorageUnavailable("storage refuses a blob that it does not list")
        return _description(blob, path)

    def is_there(self) -> bool:
        """Whether the container answers; asked once, for health."""
        try:
            return bool(self._client.exists(retry_total=0))
        except AzureError:
            return False

    def create(self) -> None:
        """Makes the container where it is missing, in one attempt. In Azure the infrastructure
        does that."""
        with suppress(ResourceExistsError):
            self._client.create_container(retry_total=0)


@contextmanager
def _of_the_blob(path: str, *, is_read: bool = False) -> Iterator[None]:
    """BlobGone, BlobChanged, BlobRefused and BlobInUse. BlobGone removes what people wrote, so any
    other 404 than the service's own BlobNotFound says nothing of the blob: the container may be
    missing, or the answer may be that of a proxy or of another address."""
    try:
        yield
    except HttpResponseError as error:
        code = own_code(getattr(error.response, "headers", {}))
        if code is None or error.status_code is None:
            raise
        if (error.status_code, code) == (404, "BlobNotFound"):
            raise BlobGone(path) from error
        if (error.status_code, code) in CHANGED:
            raise BlobChanged(path) from error
        refused = _refusal(error.status_code, code, is_read=is_read)
        if refused is None:
            raise
        raise refused from error


def _refusal(status: int, code: str, *, is_read: bool) -> BlobRefused | BlobInUse | None:
    """What an answer says that is about this blob and lasts; None for any other answer."""
    if not 400 <= status < 500 or status in PASSING - {412} or code.startswith(OF_ALL):
        return None
    if code in ARCHIVED:
        return BlobArchived()
    if code.startswith(PROTECTED):
        return BlobInUse(f"{status} {code}")
    is_lasting = status not in PASSING and (is_read or code.startswith(ENCRYPTED))
    return BlobUnreadable(f"{status} {code}") if is_lasting else None


def _description(blob: BlobProperties, path: str) -> BlobDescription:
    # A listing gives None for an empty value, which headers give as "".
    metadata = {name: value or "" for name, value in (blob.metadata or {}).items()}
    return BlobDescription(
        path=path,
        bytes=blob.size,
        etag=_quoted(blob.etag),
        modified=blob.last_modified,
        sha256=metadata.get(SHA256_METADATA) or None,
        is_folder=is_folder_marker(blob.size, metadata),
    )


def _quoted(etag: str) -> str:
    """Listings give the ETag bare, headers give it in quotes."""
    return f'"{etag.strip(chr(34))}"'
