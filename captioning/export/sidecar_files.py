"""Sidecars in a folder: `beach.jpg.xmp` for `beach.jpg`, so that `beach.png` has its own.

A file of another program is never touched unasked, and neither is anything outside of the folder.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from captioning.domain.record import CaptionRecord
from captioning.export.filenames import places
from captioning.export.xmp import HEAD_BYTES, owner, sidecar

SUFFIX = ".xmp"
Outcome = Literal["written", "there", "empty", "failed"]
_OF_ONE_FILE = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL}
"""What one name is at fault for; the next may do. Anything else ends the export."""
FOREIGN = "another program wrote its sidecar, or changed it: --overwrite replaces that"
OUTSIDE = "a link in the folder leads out of it"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What became of a record; `problem` says why one failed."""

    path: str
    outcome: Outcome
    problem: str = ""


def write_sidecars(
    records: Iterable[CaptionRecord], folder: Path, *, overwrite: bool = False
) -> Iterator[Sidecar]:
    """Writes a sidecar for every captioned record that says something. Each is there whole or not
    at all; one that would not change is left as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve(strict=True)
    for record in records:
        if record.status == "captioned":
            yield _written(record, root, overwrite=overwrite)


def _written(record: CaptionRecord, root: Path, *, overwrite: bool) -> Sidecar:
    content = sidecar(record)
    if content is None:
        return Sidecar(record.path, "empty")
    try:
        return _placed(record, content, root, overwrite=overwrite)
    except OSError as error:
        if error.errno not in _OF_ONE_FILE:
            raise
        return Sidecar(record.path, "failed", f"cannot be written: {error.strerror}")


def _placed(record: CaptionRecord, content: bytes, root: Path, *, overwrite: bool) -> Sidecar:
    """In the first place that is free, or the record's own. On a file system that does not tell
    `A.jpg` from `a.jpg`, the first may be the other's."""
    *_, last = names = places(record.path, SUFFIX)
    for name in names:
        place = root / name
        if not place.parent.resolve().is_relative_to(root):
            return Sidecar(record.path, "failed", OUTSIDE)
        head = _head(place)
        whose = None if head is None else owner(head)
        if whose and whose != record.id and name != last:
            continue
        if head is not None and whose != record.id and not overwrite:
            return Sidecar(record.path, "failed", FOREIGN)
        if head is not None and place.read_bytes() == content:
            return Sidecar(record.path, "there")
        _replace(place, content)
        return Sidecar(record.path, "written")
    raise AssertionError("there is always a last place")


def _head(place: Path) -> bytes | None:
    """The beginning of what is there."""
    try:
        with place.open("rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError:
        return None


def _replace(place: Path, content: bytes) -> None:
    """Writes beside it and puts that in its place: a crash leaves the old one or the new."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
