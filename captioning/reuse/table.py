"""What is known of contents, on Table Storage: `captionsreuse`.

PartitionKey is the SHA-256 of the bytes, RowKey the fingerprint of how services were asked.
"""

from __future__ import annotations

from typing import Any

from captioning.reuse.entries import StoredWork, Work
from captioning.storage.entity import ENTITY_BYTES, size, to_document, to_properties
from captioning.storage.tables import Table

_PLAIN = frozenset({"sha256", "fingerprint", "path", "run", "is_done", "afresh", "upload", "burst"})


class ReuseTable:
    """Work by content and fingerprint; every write is conditional on the version it replaces."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, sha256: str, fingerprint: str) -> StoredWork | None:
        """The work and its ETag, or None."""
        row = self._table.get(sha256, fingerprint)
        return (
            StoredWork(Work.from_json(to_document(row.entity, _PLAIN)), row.etag) if row else None
        )

    def put(self, work: Work, etag: str | None) -> str:
        """Replaces the version with this ETag, or creates it where it is None; the new ETag.
        RecordChanged when another version is there."""
        return self._table.put(_to_entity(work), etag)


def _to_entity(work: Work) -> dict[str, Any]:
    document = work.to_json()
    entity = to_properties(document, _PLAIN)
    if size(entity) > ENTITY_BYTES:
        document["parts"] = {}  # rather paid again than not saved
        entity = to_properties(document, _PLAIN)
    while size(entity) > ENTITY_BYTES and document["analysis"]["text"]:
        text = document["analysis"]["text"]
        document["analysis"]["text"] = text[: len(text) // 2]
        entity = to_properties(document, _PLAIN)
    return {"PartitionKey": work.sha256, "RowKey": work.fingerprint, **entity}
