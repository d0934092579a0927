"""Finds new and changed blobs by listing a container: the source `LogsAndContainerScan`.

Left out: storage logs, which the real host reads beside it (Azurite writes none).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient
from azure.storage.blob import BlobProperties

from captioning.embedded.host.blob_trigger import BlobFunction, BlobMessage, bare_etag
from captioning.embedded.host.storage import Outage

TABLE = "embeddedhostreceipts"
BATCH = 100


class BlobReceipts:
    """One function's receipts: SHA-256 of the path -> the ETag last queued. For one thread.

    All are held in memory, so that a scan costs no more than a listing.
    """

    def __init__(self, table: TableClient, function: str) -> None:
        self._table = table
        self._function = function
        self._etags: dict[str, str] = {}
        self._unsaved: dict[str, str] = {}

    def load(self) -> None:
        """Reads what earlier runs left; the table is made when missing."""
        with suppress(ResourceExistsError):
            self._table.create_table()
        rows = self._table.query_entities(
            "PartitionKey eq @function",
            parameters={"function": self._function},
            select=["RowKey", "BlobETag"],
        )
        self._etags = {row["RowKey"]: row["BlobETag"] for row in rows}

    def has(self, path: str, etag: str) -> bool:
        """Whether this version of the blob was queued."""
        return self._etags.get(_key(path)) == etag

    def add(self, path: str, etag: str) -> None:
        """Remembers a blob that is on the queue; a full batch is saved."""
        key = _key(path)
        self._etags[key] = self._unsaved[key] = etag
        if len(self._unsaved) >= BATCH:
            self.save()

    def save(self) -> None:
        """Writes what is not in the table yet; what fails to is tried again next time."""
        while batch := dict(islice(self._unsaved.items(), BATCH)):
            rows = [self._row(key, etag) for key, etag in batch.items()]
            self._table.submit_transaction(
                [("upsert", row, {"mode": "replace"}) for row in rows],
            )
            for key in batch:
                del self._unsaved[key]

    def _row(self, key: str, etag: str) -> dict[str, Any]:
        return {"PartitionKey": self._function, "RowKey": key, "BlobETag": etag}


def _key(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()


SHORTEST_PAUSE = 0.3
PAUSE_PER_LISTING = 5
"""A large container is listed for a sixth of the time at most."""


class BlobScan:
    """One function's container, listed again and again by one thread."""

    def __init__(
        self,
        blob: BlobFunction,
        receipts: BlobReceipts,
        enqueue: Callable[[BlobMessage], None],
        outage: Outage,
    ) -> None:
        self._blob = blob
        self._receipts = receipts
        self._enqueue = enqueue
        self._outage = outage
        self._loaded = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts to look."""
        self._thread.start()

    def stop_fetching(self) -> None:
        """Looks no more."""
        self._stopping.set()

    def stop(self, timeout: float) -> None:
        """Waits for the last look to end."""
        self._thread.join(timeout)

    def scan(self) -> float:
        """Queues what is new; gives back the seconds the listing took.

        The message comes first: a crash before the receipt means twice, not never.
        """
        if not self._loaded:
            self._receipts.load()
            self._loaded = True
        listing = 0.0
        pages = self._pages()
        while not self._stopping.is_set():
            began = time.monotonic()
            page = next(pages, None)
            listing += time.monotonic() - began
            if page is None:
                break
            for found in page:
                self._offer(found)
        self._receipts.save()
        return listing

    def _offer(self, found: BlobProperties) -> None:
        path, etag = f"{self._blob.container}/{found.name}", bare_etag(found.etag)
        if self._receipts.has(path, etag) or not self._blob.pattern.fullmatch(found.name):
            return
        function, kind = self._blob.function.name, _kind(found)
        self._enqueue(BlobMessage(function, kind, self._blob.container, found.name, etag))
        self._receipts.add(path, etag)

    def _pages(self) -> Iterator[list[BlobProperties]]:
        """The container's blobs; a container that is not there yet holds none."""
        container = self._blob.account.blobs.get_container_client(self._blob.container)
        try:
            for page in container.list_blobs(results_per_page=5000).by_page():
                yield list(page)
        except ResourceNotFoundError:
            return

    def _run(self) -> None:
        where = f"the scan of {self._blob.container}"
        listing = 0.0
        while not self._stopping.is_set():
            try:
                listing = self.scan()
                self._outage.ended(where)
            except AzureError as error:
                self._outage.began(where, error)
            self._stopping.wait(max(SHORTEST_PAUSE, PAUSE_PER_LISTING * listing))


def _kind(found: BlobProperties) -> str:
    return str(getattr(found.blob_type, "value", found.blob_type) or "BlockBlob")
