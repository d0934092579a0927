"""Finds new and changed blobs by listing a container: the source `LogsAndContainerScan`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import suppress

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, UpdateMode
from azure.storage.blob import BlobProperties

from captioning.embedded.host.blob_trigger import (
    BLOCK_BLOB,
    BlobFunction,
    BlobMessage,
    Enqueue,
    quoted,
)
from captioning.embedded.host.loops import Loop
from captioning.embedded.host.storage import Outage

TABLE = "embeddedhostreceipts"
SHORTEST_PAUSE = 0.3
PAUSE_PER_LISTING = 5
"""Pauses last this many times as long as the listing before them: at most a sixth of the time is
spent listing, however large the container."""


class BlobScan(Loop):
    """Lists the container of one function again and again."""

    def __init__(
        self, blob: BlobFunction, receipts: BlobReceipts, enqueue: Enqueue, outage: Outage
    ) -> None:
        super().__init__(self._look)
        self._blob = blob
        self._receipts = receipts
        self._enqueue = enqueue
        self._outage = outage
        self._listing = 0.0

    def _look(self) -> float:
        """Queues the blobs that are new or changed."""
        where = f"the scan of {self._blob.container}"
        try:
            self._scan()
            self._outage.ended(where)
        except AzureError as error:
            self._outage.began(where, error)
        return max(SHORTEST_PAUSE, PAUSE_PER_LISTING * self._listing)

    def _scan(self) -> None:
        self._receipts.load()
        self._listing = 0.0
        pages = self._pages()
        while not self.stopping.is_set():
            began = time.monotonic()
            page = next(pages, None)
            self._listing += time.monotonic() - began
            if page is None:
                break
            for found in page:
                self._offer(found)

    def _offer(self, found: BlobProperties) -> None:
        name, etag = str(found.name), quoted(found.etag)
        path = f"{self._blob.container}/{name}"
        # The real extension cuts slashes off both ends of a name, and then finds no such blob.
        if name != name.strip("/") or self._receipts.has(path, etag):
            return
        kind = str(getattr(found.blob_type, "value", found.blob_type) or BLOCK_BLOB)
        # The message comes first: after a crash in between the blob is queued twice, and not never.
        self._enqueue(BlobMessage(self._blob.id, kind, self._blob.container, name, etag))
        self._receipts.add(path, etag)

    def _pages(self) -> Iterator[list[BlobProperties]]:
        """The pages of a listing; none while the container does not exist."""
        container = self._blob.account.blobs.get_container_client(self._blob.container)
        try:
            for page in container.list_blobs(results_per_page=5000).by_page():
                yield list(page)
        except ResourceNotFoundError:
            return


class BlobReceipts:
    """The receipts of one function: which version of each blob has been queued.

    They map the SHA-256 of a path to an ETag. All of them are kept in memory, so that a scan costs
    no more than the listing. Not safe to share between threads.
    """

    def __init__(self, table: TableClient, function: str) -> None:
        self._table = table
        self._function = function
        self._etags: dict[str, str] = {}
        self._is_loaded = False

    def load(self) -> None:
        """Reads the receipts of earlier runs, once; creates the table if it does not exist."""
        if self._is_loaded:
            return
        with suppress(ResourceExistsError):
            self._table.create_table()
        rows = self._table.query_entities(
            "PartitionKey eq @function", parameters={"function": self._function}
        )
        self._etags = {row["RowKey"]: quoted(row["BlobETag"]) for row in rows}
        self._is_loaded = True

    def has(self, path: str, etag: str) -> bool:
        """Whether this version of the blob has been queued."""
        return self._etags.get(_key(path)) == etag

    def add(self, path: str, etag: str) -> None:
        """Saves the receipt of a blob that has been queued."""
        key = _key(path)
        row = {"PartitionKey": self._function, "RowKey": key, "BlobETag": etag}
        self._table.upsert_entity(row, UpdateMode.REPLACE)
        self._etags[key] = etag


def _key(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()
