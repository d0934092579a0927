"""Containers and tables of one test, through the app's own adapters."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from azure.storage.blob import ContainerClient, ContentSettings
from requests import PreparedRequest, Response

from captioning.domain.blobs import BlobDescription
from captioning.errors import BlobChanged
from captioning.maintenance.erasure import Erasure
from captioning.maintenance.missing import MissingBlobs
from captioning.records.catalog import Catalog
from captioning.records.layout import Layout
from captioning.records.trash import Trash
from captioning.reuse.table import BurstTable, ReuseTable
from captioning.search.dictionary import Dictionary
from captioning.storage.accounts import BlobAccount, TableAccount
from captioning.storage.backups import BackupContainer
from captioning.storage.blobs import ImageContainer
from captioning.storage.curl import Answered, Asked, Curl
from captioning.storage.sessions import ExactPathSession
from captioning.storage.state import StateTable
from captioning.storage.tables import Table
from captioning.storage.thumbnails import ThumbnailContainer

FORBIDDEN_IN_A_TERM = {*"/\\#?'\"", *map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))}
"""Characters that Table Storage refuses in a key, and quotes, which end a literal in a filter."""


class RecordingSession(ExactPathSession):
    """Records the method of each request."""

    def __init__(self, sent: list[str]) -> None:
        super().__init__(pool=32)
        self.sent = sent

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        self.sent.append(str(request.method))
        return super().send(request, **options)


class RecordingCurl(Curl):
    """Records the method of each request."""

    def __init__(self, sent: list[str]) -> None:
        super().__init__(direct=True)
        self.sent = sent

    def send(self, asked: Asked) -> Answered | None:
        self.sent.append(asked.method)
        return super().send(asked)


def blobs_in(images: ImageContainer) -> Iterator[BlobDescription]:
    """Every blob of the container."""
    marker: str | None = None
    while True:
        blobs, marker = images.page(1_000, marker)
        yield from blobs
        if marker is None:
            return


def overwrite(images: ImageContainer, path: str, data: bytes, *, is_hashed: bool = True) -> str:
    """Stores a blob whatever is there, as other tools do; its ETag."""
    digest = hashlib.sha256(data).hexdigest() if is_hashed else ""
    write = partial(images.write, path, sha256=digest, media_type="application/octet-stream")
    try:
        return write(io.BytesIO(data), replaces=None)
    except BlobChanged:
        return write(io.BytesIO(data), replaces="*")


class Storage:
    """The app's containers and tables, each created at its first use."""

    def __init__(self, connection: str, name: str, stack: ExitStack) -> None:
        self.connection, self.name, self._stack = connection, name, stack

    @cached_property
    def images(self) -> ImageContainer:
        images = self._blobs.images(self.name)
        images.create()
        return images

    @cached_property
    def thumbnails(self) -> ThumbnailContainer:
        kept = self._blobs.thumbnails(f"{self.name}-thumbnails")
        kept.create()
        return kept

    @cached_property
    def backups(self) -> BackupContainer:
        kept = self._blobs.backups(f"{self.name}-backup")
        kept.create()
        return kept

    @cached_property
    def _blobs(self) -> BlobAccount:
        account = BlobAccount(connection_string=self.connection)
        self._stack.callback(account.close)
        return account

    @cached_property
    def account(self) -> TableAccount:
        account = TableAccount(connection_string=self.connection)
        self._stack.callback(account.close)
        for kind in ("catalog", "words", "reuse", "bursts"):
            account.create(f"{self.name}{kind}")
        return account

    @cached_property
    def table(self) -> Table:
        """The catalogue's table."""
        return self.account.table(f"{self.name}catalog")

    @cached_property
    def reuse(self) -> ReuseTable:
        return ReuseTable(self.account.table(f"{self.name}reuse"))

    @cached_property
    def words(self) -> Table:
        """The table of the dictionary."""
        return self.account.table(f"{self.name}words")

    def trash(self, now: Callable[[], datetime]) -> Trash:
        """Removed records."""
        self.account.create(f"{self.name}trash")
        return Trash(self.account.table(f"{self.name}trash"), now)

    def erasure(self, now: Callable[[], datetime], **parts: Any) -> Erasure:
        """Erases images from this storage, or from the given parts."""
        given: dict[str, Any] = {
            "images": self.images,
            "catalog": self.catalog,
            "outbox": self.catalog,
            "thumbnails": self.thumbnails,
            "trash": self.trash(now),
            "missing": MissingBlobs(self.state),
            "answers": self.reuse,
            "frames": self.bursts,
            "is_own": lambda: True,
            "languages": ("en", "de"),
            "now": now,
        }
        return Erasure(**(given | parts))

    @cached_property
    def state(self) -> StateTable:
        self.account.create(f"{self.name}state")
        return StateTable(self.account.table(f"{self.name}state"))

    @property
    def bursts(self) -> BurstTable:
        return BurstTable(self.account.table(f"{self.name}bursts"))

    @cached_property
    def catalog(self) -> Catalog:
        return self.catalog_over(self.table)

    def catalog_over(self, table: Any, **options: Any) -> Catalog:
        """A catalogue over this table, closed with the test."""
        words = Dictionary(self.account.table(f"{self.name}words"))
        catalog = Catalog(table, words, Layout(table), **options)
        self._stack.callback(catalog.close)
        return catalog

    def upload(self, path: str, data: bytes) -> BlobDescription:
        """Uploads a blob and describes it."""
        overwrite(self.images, path, data)
        return self.images.describe(path)

    def allocate(self, path: str, size: int) -> None:
        """Creates a blob of this size without sending any data."""
        assert self.images.is_there()
        with ContainerClient.from_connection_string(self.connection, self.name) as container:
            container.get_blob_client(path).create_page_blob(size)

    def touch(self, path: str, **metadata: str) -> BlobDescription:
        """Replaces a blob's metadata, as tools do that sync times; sets headers where there is
        none."""
        with ContainerClient.from_connection_string(self.connection, self.name) as container:
            blob = container.get_blob_client(path)
            if metadata:
                blob.set_blob_metadata(metadata)
            else:
                blob.set_http_headers(ContentSettings(cache_control="no-store"))
        return self.images.describe(path)

    def delete(self, path: str) -> None:
        """Deletes a blob."""
        with ContainerClient.from_connection_string(self.connection, self.name) as container:
            container.delete_blob(path)

    def recorded_images(self) -> tuple[ImageContainer, list[str]]:
        """Another client of the container, and the methods of the requests that it sends."""
        sent: list[str] = []
        return self._recorded_blobs(sent).images(self.name), sent

    def recorded_thumbnails(self, sent: list[str]) -> ThumbnailContainer:
        """Another client of the thumbnails; the methods of its requests are added to `sent`."""
        return self._recorded_blobs(sent).thumbnails(f"{self.name}-thumbnails")

    def _recorded_blobs(self, sent: list[str]) -> BlobAccount:
        session, curl = RecordingSession(sent), RecordingCurl(sent)
        account = BlobAccount(connection_string=self.connection, session=session, curl=curl)
        self._stack.callback(account.close)
        return account

    def kept_thumbnails(self) -> list[str]:
        """The names of the stored thumbnails."""
        assert self.thumbnails
        with ContainerClient.from_connection_string(
            self.connection, f"{self.name}-thumbnails"
        ) as container:
            return list(container.list_blob_names())

    def recorded_catalog(self) -> tuple[Catalog, list[str]]:
        """Another catalogue, and the methods of the requests that it sends."""
        curl = RecordingCurl([])
        account = TableAccount(connection_string=self.connection, curl=curl)
        self._stack.callback(account.close)
        table = account.table(f"{self.name}catalog")
        catalog = Catalog(table, Dictionary(account.table(f"{self.name}words")), Layout(table))
        self._stack.callback(catalog.close)
        return catalog, curl.sent
