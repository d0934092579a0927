"""Which blobs were queued already, kept in the storage account for the next start."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from itertools import islice
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableClient

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
