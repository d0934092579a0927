"""The container of backups: `<folder>/<file>`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobPrefix, ContainerClient

from captioning.errors import StorageUnavailable
from captioning.ports import KeptFile
from captioning.storage.errors import own_code, storage_answers


class BackupContainer:
    """Files of backups, each written once; safe to share between threads. Raises StorageUnavailable
    where storage does not answer as it should, or the container is missing."""

    def __init__(self, client: ContainerClient) -> None:
        self._client = client

    @storage_answers
    def folders(self) -> list[str]:
        """The names of all folders, in their order."""
        found = self._client.walk_blobs(delimiter="/")
        return [str(one.name).rstrip("/") for one in found if isinstance(one, BlobPrefix)]

    @storage_answers
    def files(self, folder: str) -> list[KeptFile]:
        """The files of a folder with their metadata, in the order of their names."""
        found = self._client.list_blobs(name_starts_with=f"{folder}/", include=["metadata"])
        return [
            KeptFile(one.name.removeprefix(f"{folder}/"), one.size, dict(one.metadata or {}))
            for one in found
        ]

    @storage_answers
    def put(self, folder: str, name: str, data: bytes, notes: Mapping[str, str]) -> bool:
        """Writes a file with this metadata in one request; False where there is one already."""
        try:
            self._client.upload_blob(f"{folder}/{name}", data, metadata=dict(notes))
        except ResourceExistsError as error:
            # The SDK raises it for a container, too, that is just being deleted.
            if own_code(getattr(error.response, "headers", {})) != "BlobAlreadyExists":
                raise
            return False
        return True

    @storage_answers
    def read(self, folder: str, name: str) -> bytes | None:
        """The content of a file; None where there is none."""
        try:
            return self._client.download_blob(f"{folder}/{name}").readall()
        except ResourceNotFoundError as error:
            _only_if_missing(error)
            return None

    @storage_answers
    def delete(self, folder: str, name: str) -> None:
        """Deletes a file; a missing one is no error."""
        try:
            self._client.delete_blob(f"{folder}/{name}")
        except ResourceNotFoundError as error:
            _only_if_missing(error)

    def create(self) -> None:
        """Makes the container where it is missing, in one attempt. In Azure the infrastructure
        does that."""
        with suppress(ResourceExistsError):
            self._client.create_container(retry_total=0)


def _only_if_missing(error: ResourceNotFoundError) -> None:
    """Raises unless the service itself says that there is no such blob."""
    if own_code(getattr(error.response, "headers", {})) != "BlobNotFound":
        raise StorageUnavailable("the container of backups cannot be reached") from error
