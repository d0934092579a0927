"""A copy of all records, part by part, and the removal of old copies.

A part is written once, and its notes say where the next one begins. So a run that was broken off
is continued by the next, and of two runs side by side one finds its part taken and ends: there is
neither a gap nor an overlap. The manifest comes last.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from captioning.backup.files import MANIFEST, PART, part_name
from captioning.backup.lines import written
from captioning.backup.rows import END, START, RecordTable
from captioning.errors import StorageUnavailable
from captioning.ports import BackupStore, KeptFile, StateStore
from captioning.records.layout import VERSION

log = logging.getLogger("captioning.backup")

KIND, NAME = "backup", "nightly"
LATE = timedelta(days=2)
"""Health says when the last complete backup is older than this."""


@dataclass(slots=True)
class BackupReport:
    """What a run did: the backup's name, records and parts of it so far, records among them that
    cannot be read, and how many old backups it deleted. `is_broken_off`: storage did not answer,
    or another run is at work."""

    name: str = ""
    records: int = 0
    unreadable: int = 0
    parts: int = 0
    deleted: int = 0
    is_complete: bool = False
    is_broken_off: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """When a part, and when a run, has enough: `records` or `bytes` (compressed) of a part, read
    `page` at a time; `seconds` of a run."""

    page: int = 250
    records: int = 5_000
    bytes: int = 8 * 1024 * 1024
    seconds: float = 240.0


class Backup:
    """Copies of the records in `table`, kept in `store` for `days`; 0 days: no backups.

    Runs may be ended at any time; two at once do no harm.
    """

    def __init__(
        self,
        *,
        table: RecordTable,
        store: BackupStore,
        state: StateStore,
        days: int,
        now: Callable[[], datetime],
        size: Size | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._store = store
        self._state = state
        self._days = days
        self._now = now
        self._size = size or Size()
        self._seconds = seconds

    def run(self) -> BackupReport:
        """Goes on with the night's backup, or begins it, for a few minutes; one request where it
        is complete."""
        today = self._now().date()
        if not self._days:
            return BackupReport()
        try:
            note = self._note()
            if note.get("name", "") >= today.isoformat():
                return BackupReport(str(note["name"]), is_complete=True)
            if not note:
                self._state.put(KIND, NAME, {"since": self._now().isoformat()})
            name = self._unfinished(today) or today.isoformat()
            return self._reported(name, {"name": name})
        except StorageUnavailable as error:
            log.warning("The backup stopped and continues at its next run: %s", error.message)
            return BackupReport(is_broken_off=True)

    def make(self) -> BackupReport:
        """A whole backup now, beside the nightly ones; StorageUnavailable where it is broken
        off."""
        name = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H%M%S")
        report = BackupReport()
        while not report.is_complete and not report.is_broken_off:
            report = self._reported(name, {})
        return report

    def lateness(self) -> str | None:
        """`late` where the last complete backup is too old; None where all is well."""
        if not self._days:
            return None
        since = self._note().get("since")
        is_late = since and datetime.fromisoformat(since) < self._now() - LATE
        return "late" if is_late else None

    def _note(self) -> dict[str, Any]:
        """The last complete nightly backup (`name`), and since when there is no newer one."""
        return self._state.get(KIND, NAME) or {}

    def _unfinished(self, today: date) -> str | None:
        """Last night's backup where it is not complete: large tables take longer than a day."""
        yesterday = (today - timedelta(days=1)).isoformat()
        if yesterday not in self._store.folders() or self._note().get("name") == yesterday:
            return None
        return yesterday

    def _reported(self, name: str, note: dict[str, str]) -> BackupReport:
        """Goes on with a backup; `note` is kept when it is complete."""
        report = BackupReport(name)
        self._go_on(report)
        if report.is_complete:
            since = {"since": self._now().isoformat()}
            self._state.put(KIND, NAME, {**self._note(), **note, **since})
            # An empty table makes no backup, so it never takes the place of one with records.
            if report.records:
                self._delete_old(report)
        log.info(json.dumps({"event": "backup", **asdict(report)}))
        return report

    def _go_on(self, report: BackupReport) -> None:
        """Writes parts until all rows are copied or the time is over, then the manifest."""
        until = self._seconds() + self._size.seconds
        files = self._store.files(report.name)
        parts = [file for file in files if PART.fullmatch(file.name)]
        _count(report, parts)
        position, had = parts[-1].notes["next"] if parts else START, len(parts)
        while position != END:
            if len(parts) > had and self._seconds() >= until:
                return  # after one part at least, so that each run gets on
            part = self._part(position, until)
            position = part.notes["next"]
            if part.notes["records"] == "0":
                break
            name = part_name(len(parts) + 1)
            if not self._store.put(report.name, name, part.data, part.notes):
                report.is_broken_off = True  # another run is a part ahead
                return
            parts.append(KeptFile(name, len(part.data), part.notes))
            _count(report, parts)
        if parts:
            self._store.put(report.name, MANIFEST, self._manifest(report, parts), {})
        report.is_complete = True

    def _part(self, position: str, until: float) -> _Part:
        size, began = self._size, self._now()
        packed, records, unreadable = io.BytesIO(), 0, 0
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as lines:
            while position != END:
                page = self._table.page(position, size.page)
                for identity, row in page.rows:
                    line, is_readable = written(identity, row)
                    lines.write(f"{line}\n".encode("ascii"))
                    unreadable += not is_readable
                records += len(page.rows)
                position = page.next
                is_full = records >= size.records or packed.tell() >= size.bytes
                if is_full or (records and self._seconds() >= until):
                    break
        data = packed.getvalue()
        notes = {
            "next": position,
            "records": str(records),
            "unreadable": str(unreadable),
            "sha256": hashlib.sha256(data).hexdigest(),
            "began": began.isoformat(),
        }
        return _Part(data, notes)

    def _manifest(self, report: BackupReport, parts: Sequence[KeptFile]) -> bytes:
        document = {
            "name": report.name,
            "layout": VERSION,
            "began": parts[0].notes["began"],
            "finished": self._now().isoformat(),
            "records": report.records,
            "unreadable": report.unreadable,
            "parts": [
                {
                    "name": part.name,
                    "bytes": part.bytes,
                    "records": int(part.notes["records"]),
                    "sha256": part.notes["sha256"],
                }
                for part in parts
            ],
        }
        return json.dumps(document, indent=1).encode()

    def _delete_old(self, report: BackupReport) -> None:
        """Deletes what is older than `days`. The backup that has just been completed is newer."""
        oldest = (self._now().date() - timedelta(days=self._days)).isoformat()
        for folder in self._store.folders():
            if folder >= min(oldest, report.name) or not _is_backup(folder):
                continue
            # The manifest first: what is left of a broken-off deletion is not taken for whole.
            for name in (MANIFEST, *(file.name for file in self._store.files(folder))):
                self._store.delete(folder, name)
            report.deleted += 1


@dataclass(frozen=True, slots=True)
class _Part:
    """A part's content, compressed, and its notes."""

    data: bytes
    notes: dict[str, str]


def _count(report: BackupReport, parts: Sequence[KeptFile]) -> None:
    report.parts = len(parts)
    report.records = sum(int(part.notes["records"]) for part in parts)
    report.unreadable = sum(int(part.notes["unreadable"]) for part in parts)


def _is_backup(folder: str) -> bool:
    """Whether a folder is named as a backup is: others in the container are left alone."""
    try:
        date.fromisoformat(folder[:10])
    except ValueError:
        return False
    return True
