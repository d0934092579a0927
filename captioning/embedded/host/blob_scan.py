"""Finds new and changed blobs by listing a container: the source `LogsAndContainerScan`.

The real host also reads storage logs; Azurite writes none.
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
"""Rows that are written in one request."""
SHORTEST_PAUSE = 0.3
PAUSE_PER_LISTING = 5
"""Pauses last this many times as long as the listing before them: at most a sixth of the time is
spent listing, however large the container."""


class BlobScan:
    """Lists the container of one function again and again, on a thread of its own."""

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
        """Starts the thread."""
        self._thread.start()

    def stop_fetching(self) -> None:
        """Starts no further scan, and ends the current one."""
        self._stopping.set()

    def stop(self, timeout: float) -> None:
        """Waits up to `timeout` seconds for the current scan to end."""
        self._thread.join(timeout)

    def scan(self) -> float:
        """Queues the blobs that are new or changed. Returns the seconds spent listing."""
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
        # The message comes first: after a crash in between the blob is queued twice, and not never.
        self._enqueue(BlobMessage(function, kind, self._blob.container, found.name, etag))
        self._receipts.add(path, etag)

    def _pages(self) -> Iterator[list[BlobProperties]]:
        """The pages of a listing; none while the container does not exist."""
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


class BlobReceipts:
    """The receipts of one function: which version of each blob has been queued.

    They map the SHA-256 of a path to an ETag. All of them are kept in memory, so that a scan costs
    no more than the listing. Not safe to share between threads.
    """

    def __init__(self, table: TableClient, function: str) -> None:
        self._table = table
        self._function = function
        self._etags: dict[str, str] = {}
        self._unsaved: dict[str, str] = {}

    def load(self) -> None:
        """Reads the receipts of earlier runs; creates the table if it does not exist."""
        with suppress(ResourceExistsError):
            self._table.create_table()
        rows = self._table.query_entities(
            "PartitionKey eq @function",
            parameters={"function": self._function},
            select=["RowKey", "BlobETag"],
        )
        self._etags = {row["RowKey"]: row["BlobETag"] for row in rows}

    def has(self, path: str, etag: str) -> bool:
        """Whether this version of the blob has been queued."""
        return self._etags.get(_key(path)) == etag

    def add(self, path: str, etag: str) -> None:
        """Adds the receipt of a blob that has been queued; saves a full batch."""
        key = _key(path)
        self._etags[key] = self._unsaved[key] = etag
        if len(self._unsaved) >= BATCH:
            self.save()

    def save(self) -> None:
        """Writes the receipts that are not in the table yet. If that fails, they are written the
        next time."""
        while batch := dict(islice(self._unsaved.items(), BATCH)):
            rows = [self._row(key, etag) for key, etag in batch.items()]
            self._table.submit_transaction(
                [("upsert", row, {"mode": "replace"}) for row in rows],
            )
            for key in batch:
                del self._unsaved[key]

    def _row(self, key: str, etag: str) -> dict[str, Any]:
        return {"PartitionKey": self._function, "RowKey": key, "BlobETag": etag}


def _kind(found: BlobProperties) -> str:
    return str(getattr(found.blob_type, "value", found.blob_type) or "BlockBlob")


def _key(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()
