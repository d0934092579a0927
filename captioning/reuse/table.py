"""What is known of contents and of frames of bursts, on Table Storage.

`captionsreuse`: PartitionKey is the SHA-256 of the bytes, RowKey the fingerprint of how services
were called. `captionsbursts`: PartitionKey is the frame's group, RowKey `99999…-ab12…`: upload
milliseconds counted down and the SHA-256 of the bytes, so that a group is read from its newest
upload on.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from typing import Any

from captioning.images.sketch import Sketch
from captioning.reuse.bursts import Frame
from captioning.reuse.entries import ReuseEntry, StoredEntry
from captioning.storage.entities import ENTITY_BYTES, size, to_document, to_properties
from captioning.storage.tables import Table

_PLAIN = frozenset({"sha256", "fingerprint", "path", "run", "is_done", "afresh", "upload", "burst"})


class ReuseTable:
    """Work by content and fingerprint; every write is conditional on the version it replaces."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, sha256: str, fingerprint: str) -> StoredEntry | None:
        """The work and its ETag, or None."""
        row = self._table.get(sha256, fingerprint)
        return (
            StoredEntry(ReuseEntry.from_json(to_document(row.entity, _PLAIN)), row.etag)
            if row
            else None
        )

    def put(self, work: ReuseEntry, etag: str | None) -> str:
        """Replaces the version with this ETag, or creates it where it is None; the new ETag.
        RecordChanged when another version is there."""
        return self._table.put(_to_entity(work), etag)


def _to_entity(work: ReuseEntry) -> dict[str, Any]:
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


_END_OF_TIME = 99_999_999_999_999
_PIXELS = "pixels"
"""As text: bytes are left to the SDK, which takes its time."""
_LISTED = ["PartitionKey", "RowKey", "uploaded", "since", "hash"]


class BurstTable:
    """A row per frame; what is written of one does not depend on another."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, frame: Frame) -> None:
        """Writes the frame, whatever is known of it."""
        self._table.upsert(
            {
                "PartitionKey": frame.group,
                "RowKey": _place(frame.uploaded, frame.sha256),
                "uploaded": frame.uploaded.isoformat(),
                "since": frame.since.isoformat(),
                "hash": f"{frame.sketch.hash:016x}",
                _PIXELS: b64encode(frame.sketch.pixels).decode(),
            }
        )

    def around(self, frame: Frame, window: timedelta, most: int) -> list[Frame]:
        """Others of its group, uploaded at most so long before or after it: the newest of them, up
        to so many. One request, however many there are."""
        start, end = _place(frame.uploaded + window), _place(frame.uploaded - window, "~")
        rows = self._table.first(frame.group, start, end, most + 1, _LISTED)
        found = [_to_frame(row) for row in rows]
        return [other for other in found if other.sha256 != frame.sha256][:most]

    def pixels(self, frame: Frame) -> bytes | None:
        """Those of its sketch; None where it is gone."""
        row = self._table.get(frame.group, _place(frame.uploaded, frame.sha256))
        return b64decode(row.entity[_PIXELS]) if row else None

    def remove(self, frame: Frame) -> None:
        """Removes it; a missing one is no error."""
        self._table.delete(frame.group, _place(frame.uploaded, frame.sha256))


def _place(uploaded: datetime, sha256: str = "") -> str:
    return f"{_END_OF_TIME - int(uploaded.timestamp() * 1_000):014}-{sha256}"


def _to_frame(row: dict[str, Any]) -> Frame:
    return Frame(
        group=row["PartitionKey"],
        sha256=row["RowKey"].partition("-")[2],
        uploaded=datetime.fromisoformat(row["uploaded"]),
        since=datetime.fromisoformat(row["since"]),
        sketch=Sketch(int(row["hash"], 16)),
    )
