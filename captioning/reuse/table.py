"""Entries of contents and frames of bursts, on Table Storage.

`captionsreuse`: PartitionKey is the SHA-256 of the bytes, RowKey the fingerprint of how services
were called. `captionsbursts`: PartitionKey is the frame's group, RowKey `99999…-ab12…`: upload
milliseconds counted down and the SHA-256 of the bytes, so that a group is read from its newest
upload on.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from captioning.domain.record import CaptionRecord
from captioning.images.sketch import Sketch
from captioning.reuse.bursts import Frame, group_of
from captioning.reuse.entries import ReuseEntry, StoredEntry
from captioning.storage.broken_rows import Skipped, log_skipped
from captioning.storage.entities import ENTITY_BYTES, size, to_document, to_properties
from captioning.storage.tables import Table

_FIELDS = tuple(field.name for field in fields(ReuseEntry))
_PLAIN = frozenset({"sha256", "fingerprint", "path", "run", "is_done", "afresh", "upload", "burst"})
"""Fields that are columns as they are; others are JSON text."""
_END_OF_TIME = 99_999_999_999_999
"""Milliseconds from which upload times are counted down; 14 digits."""
_MOST = 1_000
"""Entries of one content that are looked at."""
_PIXELS = "pixels"
"""Stored as base64 text: bytes would go through the SDK, which is slower."""
_LISTED = ["PartitionKey", "RowKey", "uploaded", "since", "hash"]


class ReuseTable:
    """A ReuseStore: a row for each content and fingerprint; every write is conditional.

    Of a row that cannot be read `skipped` is told.
    """

    def __init__(self, table: Table, skipped: Skipped = log_skipped) -> None:
        self._table = table
        self._skipped = skipped

    def get(self, sha256: str, fingerprint: str) -> StoredEntry | None:
        """The entry and its ETag; None without one. An entry in which nothing is known yet in place
        of one that cannot be read: the run that pays replaces that version."""
        row = self._table.get(sha256, fingerprint)
        if row is None:
            return None
        try:
            entry = ReuseEntry.from_json(to_document(row.entity, _FIELDS, _PLAIN))
            if (entry.sha256, entry.fingerprint) != (sha256, fingerprint):
                raise ValueError("another content's")
        except ValueError:  # without its text, which quotes the entry
            self._skipped("reuse", sha256, fingerprint)
            entry = ReuseEntry(sha256, fingerprint, path="", run="")
        return StoredEntry(entry, row.etag)

    def put(self, entry: ReuseEntry, etag: str | None) -> str:
        """Replaces the version with this ETag, or creates the entry if it is None, and returns the
        new ETag. RecordChanged when another version is there."""
        return self._table.put(_to_entity(entry), etag)

    def erase(self, sha256: str, now: datetime, path: str | None = None) -> None:
        """Removes the entries of these bytes, but for those that a run is paying for; only those
        that were paid for the blob at `path` if it is given."""
        for row in self._table.page(sha256, "", "~", _MOST):
            fingerprint = str(row["RowKey"])
            stored = self.get(sha256, fingerprint)
            claim = stored.work.claim if stored else None
            is_paying = claim is not None and claim.until > now
            if is_paying or (path is not None and row.get("path") != path):
                continue
            self._table.delete(sha256, fingerprint)


def _to_entity(entry: ReuseEntry) -> dict[str, Any]:
    """The row of an entry. What does not fit into an entity is left out: first the parts, then
    text from the end."""
    document = entry.to_json()
    entity = to_properties(document, _PLAIN)
    if size(entity) > ENTITY_BYTES:
        document["parts"] = {}  # paying for them again is better than saving nothing
        entity = to_properties(document, _PLAIN)
    while size(entity) > ENTITY_BYTES and document["analysis"]["text"]:
        text = document["analysis"]["text"]
        document["analysis"]["text"] = text[: len(text) // 2]
        entity = to_properties(document, _PLAIN)
    return {"PartitionKey": entry.sha256, "RowKey": entry.fingerprint, **entity}


class BurstTable:
    """Frames on Table Storage: a row for each, which no other row depends on. One that cannot be
    read counts as not there, and `skipped` is told."""

    def __init__(self, table: Table, skipped: Skipped = log_skipped) -> None:
        self._table = table
        self._skipped = skipped

    def put(self, frame: Frame) -> None:
        """Writes the frame's row, unconditionally."""
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
        """Up to `most` other frames of its group, uploaded at most `window` before or after it, the
        newest first. Makes one request, however many there are."""
        start, end = _place(frame.uploaded + window), _place(frame.uploaded - window, "~")
        rows = self._table.page(frame.group, start, end, most + 1, _LISTED)
        return [other for other in self._readable(rows) if other.sha256 != frame.sha256][:most]

    def pixels(self, frame: Frame) -> bytes | None:
        """The pixels of the frame's sketch; None if its row is gone."""
        row = self._table.get(frame.group, _place(frame.uploaded, frame.sha256))
        try:
            return b64decode(row.entity[_PIXELS], validate=True) if row else None
        except (KeyError, TypeError, ValueError):
            self._skipped("bursts", frame.group, _place(frame.uploaded, frame.sha256))
            return None

    def erase(self, record: CaptionRecord) -> None:
        """Removes the row of the record's image, if there is one."""
        image, fingerprint = record.image, record.provenance.fingerprint
        if fingerprint and image.width and image.height and image.sha256:
            group = group_of(fingerprint, record.path, image.width, image.height)
            self._table.delete(group, _place(image.modified, image.sha256))

    def remove(self, frame: Frame) -> None:
        """Removes the frame's row, if it is there."""
        self._table.delete(frame.group, _place(frame.uploaded, frame.sha256))

    def _readable(self, rows: Iterable[dict[str, Any]]) -> Iterator[Frame]:
        for row in rows:
            try:
                yield _to_frame(row)
            except (KeyError, TypeError, ValueError):
                self._skipped("bursts", str(row["PartitionKey"]), str(row["RowKey"]))


def _place(uploaded: datetime, sha256: str = "") -> str:
    return f"{_END_OF_TIME - int(uploaded.timestamp() * 1_000):014}-{sha256}"


def _to_frame(row: dict[str, Any]) -> Frame:
    uploaded, since = (datetime.fromisoformat(row[name]) for name in ("uploaded", "since"))
    if uploaded.tzinfo is None or since.tzinfo is None:
        raise ValueError("a time without its zone")
    return Frame(
        group=row["PartitionKey"],
        sha256=row["RowKey"].partition("-")[2],
        uploaded=uploaded,
        since=since,
        sketch=Sketch(int(row["hash"], 16)),
    )
