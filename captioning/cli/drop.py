"""Uploads files and folders, unless they are already stored, and waits for their captions."""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

from azure.core.exceptions import AzureError

from captioning.domain.blobs import BlobDescription, name_problem
from captioning.domain.record import FINAL, CaptionRecord
from captioning.errors import (
    BadName,
    BlobChanged,
    BlobGone,
    BlobInUse,
    BlobRefused,
    StorageUnavailable,
)
from captioning.ports import BlobReader
from captioning.records.catalog import Catalog
from captioning.storage.errors import explain

POLL_SECONDS = 0.2
SHOWN = 120
"""Longer paths are shortened in messages."""
AT_ONCE = 8
OVERTAKEN = "not uploaded: somebody changed this image meanwhile. Look at it, then drop it again."
Outcome = Literal["sent", "there", "failed"]


class Container(Protocol):
    """The container of images."""

    def describe(self, path: str) -> BlobDescription:
        """The blob; BlobGone where there is none."""

    def write(
        self, path: str, data: IO[bytes], sha256: str, media_type: str, *, replaces: str | None
    ) -> str:
        """Stores an image in place of this version (an ETag; None: of none) and returns its ETag.
        BlobChanged where something else is there."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file and the path that its blob will have."""

    file: Path
    path: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """The outcome for an item; `problem` says why one failed."""

    item: Item
    outcome: Outcome
    problem: str = ""


def final_records(
    images: BlobReader,
    records: Catalog,
    paths: Iterable[str],
    on_deferred: Callable[[CaptionRecord], None],
) -> Iterator[tuple[str, CaptionRecord | None]]:
    """Waits for each path's final record, and yields it; None where the blob was deleted. There is
    no timeout: `on_deferred` is called once for an image that is deferred, and the wait goes on.
    Where the blob is overwritten meanwhile, the record of the new content is waited for."""
    for path in paths:
        reported = False
        while True:
            try:
                record = _record_of_blob(images, records, path)
            except BlobGone:
                yield path, None
                break
            if record and record.status in FINAL:
                yield path, record
                break
            if record and record.status == "deferred" and not reported:
                on_deferred(record)
                reported = True
            time.sleep(POLL_SECONDS)


def _record_of_blob(images: BlobReader, records: Catalog, path: str) -> CaptionRecord | None:
    """The record; None where it is not of the blob's present content."""
    etag = images.describe(path).etag
    stored = records.get(path)
    return stored.record if stored and stored.record.image.etag == etag else None


def find_items(paths: Iterable[Path], prefix: str, extensions: frozenset[str]) -> list[Item]:
    """The named files, under their names, and the images in folders, under their paths in the
    folder.

    Hidden files and folders are left out. Raises OSError where a path does not exist or cannot be
    listed, and BadName with all paths that no blob can have or that two files would share.
    """
    items: dict[str, Item] = {}
    problems: list[str] = []
    for file, name in _files(paths, extensions):
        path = (prefix + name).replace("\\", "/")  # the service makes a backslash a slash
        item = items.setdefault(path, Item(file, path))
        problem = name_problem(path)
        if item.file != file and not item.file.samefile(file):
            problem = (
                f"is the path of both {item.file} and {file}: drop them separately, with --prefix."
            )
        if problem:
            problems.append(f"{_shortened(path)!r} {problem}")
    if problems:
        raise BadName("\n".join(problems))
    return list(items.values())


def drop(container: Container, items: Iterable[Item]) -> Iterator[Dropped]:
    """Uploads the items, unless the same content is already stored; yields each once it is done.

    Closing the iterator stops early: uploads that have begun are finished, others are not begun.
    """
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="drop")
    try:
        for done in as_completed([pool.submit(_drop_one, container, item) for item in items]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _files(paths: Iterable[Path], extensions: frozenset[str]) -> Iterator[tuple[Path, str]]:
    """Each file with its name, or its path in the folder that was given."""
    for path in paths:
        if path.is_dir():
            for file in sorted(_images_in(path, extensions)):
                yield file, file.relative_to(path).as_posix()
        elif path.is_file():
            yield path, path.name
        else:
            raise FileNotFoundError(errno.ENOENT, "There is no such file or folder", str(path))


def _images_in(folder: Path, extensions: frozenset[str]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in (Path(parent, name) for name in files if not name.startswith(".")):
            if file.suffix.lower() in extensions and file.is_file():
                yield file


def _shortened(path: str) -> str:
    return path if len(path) <= SHOWN else f"{path[: SHOWN // 2]}…{path[-SHOWN // 2 :]}"


def _drop_one(container: Container, item: Item) -> Dropped:
    try:
        with item.file.open("rb") as data:
            digest = hashlib.file_digest(data, "sha256").hexdigest()
            there = _blob_at(container, item.path)
            if there and there.sha256 == digest:
                return Dropped(item, "there")
            data.seek(0)
            media_type = mimetypes.guess_type(item.file.name)[0] or "application/octet-stream"
            etag = there.etag if there else None
            try:
                container.write(item.path, data, digest, media_type, replaces=etag)
            except BlobChanged:  # by somebody else, or by a first attempt whose answer was lost
                there = _blob_at(container, item.path)
                if there and there.sha256 == digest:
                    return Dropped(item, "sent")
                return Dropped(item, "failed", OVERTAKEN)
    except OSError as error:
        return Dropped(item, "failed", f"cannot be read: {error.strerror}")
    except (StorageUnavailable, BlobRefused, BlobInUse) as error:
        return Dropped(item, "failed", f"cannot be uploaded: {error.message}")
    except AzureError as error:
        return Dropped(item, "failed", f"cannot be uploaded: {explain(error)}")
    return Dropped(item, "sent")


def _blob_at(container: Container, path: str) -> BlobDescription | None:
    try:
        return container.describe(path)
    except BlobGone:
        return None
