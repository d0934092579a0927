"""Thumbnails that are kept: a container of their own, so that they are no images to caption.

`<id of the path>/<ETag of the image>/<width>`: what is made of an older upload is not found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import ContainerClient, ContentSettings

from captioning.domain.blobs import BlobDescription
from captioning.domain.record import record_id
from captioning.storage.errors import own_code, storage_answers

JPEG = ContentSettings(content_type="image/jpeg")


class ThumbnailContainer:
    """Thumbnails by image and width; safe to share between threads. Raises StorageUnavailable
    where storage does not answer as it should; a missing container holds none."""

    def __init__(self, client: ContainerClient) -> None:
        self._client = client

    @storage_answers
    def get(self, image: BlobDescription, width: int) -> bytes | None:
        """The thumbnail of this version of the image; None where none is kept."""
        name = f"{_folder(image.path)}{_version(image.etag)}{width}"
        try:
            return self._client.get_blob_client(name).download_blob().readall()
        except ResourceNotFoundError:
            return None

    @storage_answers
    def put(self, image: BlobDescription, width: int, jpeg: bytes) -> None:
        """Keeps a thumbnail of this version of the image."""
        name = f"{_folder(image.path)}{_version(image.etag)}{width}"
        self._client.get_blob_client(name).upload_blob(jpeg, overwrite=True, content_settings=JPEG)

    @storage_answers
    def prune(self, path: str, etag: str | None) -> None:
        """Removes what is kept of the image, but of the version with this ETag."""
        folder = _folder(path)
        with _missing():
            for name in self._client.list_blob_names(name_starts_with=folder):
                if etag is None or not name.startswith(folder + _version(etag)):
                    with _missing():  # another process removed it
                        self._client.delete_blob(name)

    def create(self) -> None:
        """Makes the container where it is missing, in one attempt. In Azure the infrastructure
        does that."""
        with suppress(ResourceExistsError):
            self._client.create_container(retry_total=0)


@contextmanager
def _missing() -> Iterator[None]:
    """Nothing is left to remove where the service itself says so."""
    try:
        yield
    except ResourceNotFoundError as error:
        if own_code(getattr(error.response, "headers", {})) is None:
            raise


def _folder(path: str) -> str:
    return f"{record_id(path)}/"


def _version(etag: str) -> str:
    return f"{quote(etag.strip(chr(34)), safe='')}/"
