"""What the flow needs of storage and of the ledger: each interface once.

The real ones are in `storage`, `records` and `budget`, those in memory in `testing.fakes.stores`.
Every method raises StorageUnavailable where the service does not answer as it should.
"""

from __future__ import annotations

from typing import IO, Any, Protocol, TypeVar

from captioning.domain.blobs import BlobDescription
from captioning.domain.record import CaptionRecord, Status, StoredRecord
from captioning.domain.usage import Usage

M = TypeVar("M", contravariant=True)


class BlobReader(Protocol):
    """Looks at the container of images. BlobGone where there is no such blob."""

    def describe(self, path: str) -> BlobDescription:
        """Size, ETag and time of a blob, before a byte is read."""

    def read(self, blob: BlobDescription) -> bytes:
        """The described content; BlobChanged where it is another by now."""


class ImageStore(BlobReader, Protocol):
    """The container of images, with what changes it."""

    def write(
        self, path: str, data: IO[bytes], sha256: str, media_type: str, *, only_new: bool = False
    ) -> str:
        """Stores an image and returns its ETag; BlobChanged where `only_new` meets one."""

    def delete(self, path: str, etag: str | None = None) -> None:
        """Deletes this version, or any; BlobChanged where it is another by now."""


class ThumbnailStore(Protocol):
    """Thumbnails, by version of the image."""

    def get(self, image: BlobDescription, width: int) -> bytes | None:
        """The JPEG of this width; None where none is stored."""

    def put(self, image: BlobDescription, width: int, jpeg: bytes) -> None:
        """Stores it."""

    def prune(self, path: str, etag: str | None) -> None:
        """Removes the thumbnails of the image's other versions; of all, without an ETag."""


class RecordWriter(Protocol):
    """Records. Writes are conditional: RecordChanged where another version is there."""

    def get(self, path: str) -> StoredRecord | None:
        """The record of a blob."""

    def get_by_id(self, identity: str) -> StoredRecord | None:
        """The record with this id: the SHA-256 of its path in hex."""

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        """Replaces `previous`, or creates the record."""

    def remove(self, stored: StoredRecord) -> None:
        """Removes this version."""


class MessageQueue(Protocol[M]):
    """A queue of one kind of message."""

    def put(self, message: M, delay: float) -> None:
        """Sends a message that becomes visible after `delay` seconds."""

    def depth(self) -> int:
        """About how many messages there are, hidden ones included."""


class StateStore(Protocol):
    """Small JSON documents by kind and name."""

    def get(self, kind: str, name: str) -> Any:
        """The document; None where there is none."""

    def put(self, kind: str, name: str, document: Any) -> None:
        """Stores it."""

    def delete(self, kind: str, name: str) -> None:
        """Removes it, where it is there."""


class Ledger(Protocol):
    """Where usage is counted and the budget is known."""

    def check_budget(self) -> None:
        """BudgetSpent where nothing may be paid now."""

    def add(
        self,
        usage: Usage,
        *,
        status: Status | None = None,
        reused: bool = False,
        reused_usd: float | None = None,
        burst: bool = False,
    ) -> None:
        """Adds what was paid, and the image that reached a final status with it."""
