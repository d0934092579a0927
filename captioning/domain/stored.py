"""What storage holds: blobs, and records with their versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from captioning.domain.record import CaptionRecord


@dataclass(frozen=True, slots=True)
class RowVersions:
    """Which rows of the index are the record's: by what changes them, see `terms.Terms`."""

    upload: str = ""
    content: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record, the ETag of the version read, and those of its rows in the index."""

    record: CaptionRecord
    etag: str
    versions: RowVersions = RowVersions()


@dataclass(frozen=True, slots=True)
class BlobDescription:
    """What is known of a blob before a byte is read. The ETag is quoted, as HTTP has it."""

    path: str
    bytes: int
    etag: str
    modified: datetime
    sha256: str | None = None
