"""The lines of backups and of exports: JSON lines, compressed or not, in files and folders."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from captioning.ports import BackupStore

MANIFEST = "manifest.json"
"""Written last: a backup without it is not complete."""
PART = re.compile(r"records-\d{5,}\.jsonl\.gz")
ENDINGS = (".jsonl", ".jsonl.gz")
MOST_BYTES = 16 * 1024 * 1024
"""Of a line: more than six times what a row can hold, for escapes."""
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file that is not blank; the first has the number 1."""

    file: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file, or with one of its lines."""

    file: str
    number: int | None
    what: str

    def __str__(self) -> str:
        line = f", line {self.number}" if self.number else ""
        return f"{self.file}{line} {self.what}"


def part_name(number: int) -> str:
    """The name of a part of a backup; the first has the number 1."""
    return f"records-{number:05}.jsonl.gz"


def in_paths(paths: list[Path]) -> Iterator[Line | Problem]:
    """The lines of these files, and of those with the right endings in these folders. OSError where
    one cannot be read."""
    for path in paths:
        if not path.is_dir():
            with path.open("rb") as stream:
                yield from _lines(str(path), stream)
            continue
        for folder in sorted({path, *(each.parent for each in path.rglob("*.jsonl*"))}):
            yield from _in_folder(folder)


def kept(store: BackupStore) -> Iterator[tuple[str, int | None]]:
    """The names of all backups, the oldest first, and how many records each has; None where it is
    not complete."""
    for folder in store.folders():
        try:
            yield folder, int(json.loads(store.read(folder, MANIFEST) or b"")["records"])
        except (ValueError, LookupError, TypeError):
            yield folder, None


def in_store(store: BackupStore, folder: str) -> Iterator[Line | Problem]:
    """The lines of a backup where it is kept."""
    names = [file.name for file in store.files(folder)]
    yield from _in_backup(folder, names, partial(store.read, folder))


def _in_folder(folder: Path) -> Iterator[Line | Problem]:
    names = sorted(each.name for each in folder.iterdir() if each.is_file())

    def read(name: str) -> bytes | None:
        file = folder / name
        return file.read_bytes() if file.is_file() else None

    if any(PART.fullmatch(name) for name in names):
        yield from _in_backup(str(folder), names, read)
    for name in names:
        if name.endswith(ENDINGS) and not PART.fullmatch(name):
            with (folder / name).open("rb") as stream:
                yield from _lines(str(folder / name), stream)


def _in_backup(
    folder: str, names: list[str], read: Callable[[str], bytes | None]
) -> Iterator[Line | Problem]:
    """The lines of all parts that are there, and what does not agree with the manifest."""
    listed = _listed(read(MANIFEST))
    if listed is None:
        yield Problem(folder, None, f"is not complete: there is no {MANIFEST} that can be read")
    parts = {name for name in names if PART.fullmatch(name)}
    for name in sorted(parts | (listed or {}).keys()):
        file, data = f"{folder}/{name}", read(name)
        if data is None:
            yield Problem(file, None, "is missing")
            continue
        if listed is not None and listed.get(name) != hashlib.sha256(data).hexdigest():
            yield Problem(file, None, f"has changed since {MANIFEST} was written")
        yield from _lines(file, io.BytesIO(data))


def _listed(manifest: bytes | None) -> dict[str, str] | None:
    """The SHA-256 of each part by its name; None where there is no such list."""
    try:
        parts = json.loads(manifest or b"")["parts"]
        return {str(part["name"]): str(part["sha256"]) for part in parts}
    except (ValueError, LookupError, TypeError):
        return None


def _lines(file: str, stream: IO[bytes]) -> Iterator[Line | Problem]:
    start = stream.read(len(_GZIP))
    stream.seek(0)
    lines = gzip.GzipFile(fileobj=stream) if start == _GZIP else stream
    number = 0
    while True:
        try:
            line = lines.readline(MOST_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield Problem(file, None, f"is damaged behind line {number}")
            return
        if not line:
            return
        number += 1
        if len(line) == MOST_BYTES:
            yield Problem(file, number, "is too long for a record; the rest of the file is skipped")
            return
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            yield Problem(file, number, "is not UTF-8 text")
            continue
        if text:
            yield Line(file, number, text)
