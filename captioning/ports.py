"""What the flow needs of storage, each interface once.

The real implementations are in `storage` and `records`, those in memory in `testing.fakes.stores`.
Every method raises StorageUnavailable when the service does not answer as it should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Literal, Protocol, TypeVar

from captioning.domain.blobs import BlobDescription
from captioning.domain.record import CaptionRecord, StoredRecord

M = TypeVar("M", contravariant=True)


class BlobReader(Protocol):
    """Reads the container of images. BlobGone if there is no such blob."""

    def describe(self, path: str) -> BlobDescription:
        """Size, ETag and time of a blob, without its content; also of one that cannot be read."""

    def read(self, blob: BlobDescription) -> bytes:
        """The described content; BlobChanged if it was overwritten since, BlobRefused if storage
        does not give it."""


class ImageStore(BlobReader, Protocol):
    """Reads and changes the container of images. BlobInUse if a lease, say, protects a blob."""

    def write(
        self, path: str, data: IO[bytes], sha256: str, media_type: str, *, replaces: str | None
    ) -> str:
        """Stores an image and returns its ETag. It `replaces` the version with this ETag, or any
        for `*`; None for a new image. BlobChanged if something else is there, or nothing."""

    def delete(self, path: str, etag: str | None = None) -> None:
        """Deletes this version, or any if None; BlobChanged if it was overwritten since."""


class ThumbnailStore(Protocol):
    """Thumbnails, by version of the image and width in pixels."""

    def get(self, image: BlobDescription, width: int) -> bytes | None:
        """The JPEG of this width; None if none is stored."""

    def put(self, image: BlobDescription, width: int, jpeg: bytes) -> None:
        """Stores the JPEG of this width."""

    def prune(self, path: str, etag: str | None) -> None:
        """Removes the thumbnails of the image's other versions; of all of them if None."""


class RecordWriter(Protocol):
    """Records. Writes are conditional: RecordChanged if another version is there."""

    def get(self, path: str) -> StoredRecord | None:
        """The record of a blob; None without one."""

    def get_by_id(self, identity: str) -> StoredRecord | None:
        """The record with this id, the SHA-256 of its path in hex; None without one."""

    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord:
        """Replaces `previous`, or creates the record if it is None."""

    def remove(self, stored: StoredRecord) -> None:
        """Removes this version."""


class RecordTrash(Protocol):
    """Removed records that a person may want back."""

    def put(self, stored: StoredRecord) -> None:
        """Keeps a record that is about to be removed."""


class MessageQueue(Protocol[M]):
    """A queue of one kind of message."""

    def put(self, message: M, delay: float) -> None:
        """Sends a message that becomes visible after `delay` seconds."""

    def depth(self) -> int:
        """The approximate number of messages, including those that are not visible yet."""


class StateStore(Protocol):
    """Small JSON documents by kind and name.

    `read` makes something of a document; where it raises a KeyError, TypeError or ValueError, the
    document counts as not there.
    """

    def get(self, kind: str, name: str, read: Callable[[Any], Any] = ...) -> Any:
        """The document; None without one."""

    def all(self, kind: str, read: Callable[[Any], Any] = ...) -> Iterable[Any]:
        """Every document of a kind, in the order of their names."""

    def version(
        self, kind: str, name: str, read: Callable[[Any], Any] = ...
    ) -> tuple[Any, str | None]:
        """The document and the ETag of this version; None for both without one."""

    def put(self, kind: str, name: str, document: Any) -> None:
        """Stores the document."""

    def replace(self, kind: str, name: str, document: Any, etag: str | None) -> None:
        """Replaces the version with this ETag, or creates the document if it is None;
        RecordChanged if another version is there."""

    def delete(self, kind: str, name: str) -> None:
        """Removes the document, if it is there."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file of a backup: its name in the folder, its size, and what was noted with it."""

    name: str
    bytes: int
    notes: Mapping[str, str]


class BackupStore(Protocol):
    """Files in folders."""

    def folders(self) -> list[str]:
        """The names of all folders, in their order."""

    def files(self, folder: str) -> list[KeptFile]:
        """The files of a folder, in the order of their names."""

    def put(self, folder: str, name: str, data: bytes, notes: Mapping[str, str]) -> bool:
        """Writes a file in one piece, with notes in ASCII; False where there is one already."""

    def read(self, folder: str, name: str) -> bytes | None:
        """The content of a file; None where there is none."""

    def delete(self, folder: str, name: str) -> None:
        """Deletes a file; a missing one is no error."""


Entity = dict[str, Any]
"""Properties by name, `PartitionKey` and `RowKey` among them."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entity, the ETag of the version read, and when that was written."""

    entity: Entity
    etag: str
    written: datetime


@dataclass(frozen=True, slots=True)
class Write:
    """One operation of a transaction. A delete needs the keys of its entity only; `etag` is the
    version that is replaced or deleted, None for any."""

    kind: Literal["insert", "replace", "merge", "upsert", "delete"]
    entity: Entity
    etag: str | None = None


class EntityTable(Protocol):
    """A table of entities, in which a transaction within one partition is atomic."""

    def get(self, partition: str, row: str) -> Row | None:
        """The entity; None where there is none."""

    def page(
        self, partition: str, start: str, end: str, size: int, select: Sequence[str] = ()
    ) -> list[Entity]:
        """The first `size` entities with a row key from `start` on and before `end`, in the order
        of their keys: fewer only where there are no more. `select` names properties; all without.
        """

    def transact(self, writes: Sequence[Write]) -> str:
        """Makes all of the writes or none: at most 100, each of another row of one partition.

        The first is the guard: RecordChanged where its condition does not hold. Its new ETag; empty
        for a delete. RowMissing where one of the others deletes a row that is not there.
        """
