"""Putting records back, by their ids.

It keeps no position: a run after one that was stopped passes over what is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Literal

from captioning.backup.files import Line, Problem
from captioning.backup.lines import BadLine, Readable, Unreadable, read
from captioning.backup.rows import RecordTable
from captioning.domain.record import CaptionRecord, StoredRecord
from captioning.errors import BlobGone, RecordUnreadable
from captioning.ports import BlobReader, Entity
from captioning.records.catalog import Catalog
from captioning.records.table import columns_to_json
from captioning.resilience.optimistic import until_saved

Policy = Literal["keep-newer", "keep-mine", "overwrite"]
"""Which of two records with one id stays: the one with the later `updated`, the one in the table,
or the one in the file."""
AT_ONCE = 16
BATCH = 500
Outcome = Literal["added", "replaced", "equal", "kept", "raw"]


@dataclass(slots=True)
class RestoreReport:
    """Counts of a run: `lines` read; records `added`, `replaced`, found to be `equal`, and `kept`
    by the policy; `raw`: rows put back although this version cannot read them; of the records that
    were added or replaced, those whose image is `missing`; `problems`: lines and files."""

    lines: int = 0
    added: int = 0
    replaced: int = 0
    equal: int = 0
    kept: int = 0
    raw: int = 0
    missing: int = 0
    problems: int = 0


class Restore:
    """Saves records with their index rows; a dry run only counts. Records are saved as they are:
    nothing is captioned, and no webhook notified."""

    def __init__(
        self,
        catalog: Catalog,
        table: RecordTable,
        images: BlobReader,
        policy: Policy = "keep-newer",
        *,
        dry_run: bool = False,
    ) -> None:
        self._catalog = catalog
        self._table = table
        self._images = images
        self._policy = policy
        self._dry_run = dry_run

    def run(
        self, lines: Iterable[Line | Problem], complain: Callable[[Problem], None]
    ) -> Iterator[RestoreReport]:
        """Puts the records of all lines back, and yields the report after each batch. What is wrong
        with a line or file is complained of, and the others go on."""
        report = RestoreReport()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="restore") as pool:
            for batch in _batches(lines):
                for done in pool.map(self._put, batch):
                    if isinstance(done, Problem):
                        complain(done)
                    _count(report, done)
                yield report

    def _put(self, found: _Found | Problem) -> _Done | Problem:
        if isinstance(found, Problem):
            return found
        content = found.content
        if isinstance(content, Unreadable):
            is_new = self._table.insert(content.identity, content.row, dry_run=self._dry_run)
            return _Done("raw" if is_new else "kept")
        try:
            return until_saved(partial(self._save, content))
        except (
            RecordUnreadable,
            ValueError,
            TypeError,
        ):  # its text is not shown: it quotes the record
            what = "has a record that is in the table too, and cannot be read there: it stays"
            return Problem(found.line.file, found.line.number, what)

    def _save(self, content: Readable) -> _Done:
        """Saves the record unless another one stays; RecordChanged where the app, say, has saved
        one since it was looked at."""
        record = content.record
        stored = self._catalog.get_by_id(record.id)
        if stored and stored.record == record:
            if _has(stored, content.other):
                return _Done("equal")
            if not self._dry_run:  # an import was stopped before it, or has none of its own
                self._table.merge(record.id, content.other, stored.etag)
            return _Done("replaced")
        if stored and self._stays(stored.record, record):
            return _Done("kept")
        if not self._dry_run:
            saved = self._catalog.save(record, stored)
            if content.other:
                self._table.merge(record.id, content.other, saved.etag)
        return _Done("replaced" if stored else "added", self._is_missing(record.path))

    def _stays(self, mine: CaptionRecord, record: CaptionRecord) -> bool:
        if self._policy == "keep-newer":
            return mine.updated >= record.updated
        return self._policy == "keep-mine"

    def _is_missing(self, path: str) -> bool:
        try:
            self._images.describe(path)
        except BlobGone:
            return True
        return False


def _has(stored: StoredRecord, columns: Entity) -> bool:
    """Whether a record has these columns, with their values and types."""
    there = {name: stored.columns[name] for name in columns if name in stored.columns}
    return columns_to_json(there) == columns_to_json(columns)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a line holds."""

    line: Line
    content: Readable | Unreadable


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of a line; whether the image of a record that was saved is missing."""

    outcome: Outcome
    is_missing: bool = False


def _batches(lines: Iterable[Line | Problem]) -> Iterator[list[_Found | Problem]]:
    """Lines to work on side by side: no two about one record, whose order matters."""
    batch: list[_Found | Problem] = []
    identities: set[str] = set()
    for line in lines:
        found = _found(line)
        identity = "" if isinstance(found, Problem) else found.content.identity
        if len(batch) >= BATCH or identity in identities:
            yield batch
            batch, identities = [], set()
        batch.append(found)
        identities.update([identity] if identity else [])
    yield batch


def _found(line: Line | Problem) -> _Found | Problem:
    if isinstance(line, Problem):
        return line
    try:
        return _Found(line, read(line.text))
    except BadLine as error:
        return Problem(line.file, line.number, str(error))


def _count(report: RestoreReport, done: _Done | Problem) -> None:
    if isinstance(done, Problem):
        report.lines += done.number is not None
        report.problems += 1
        return
    report.lines += 1
    report.missing += done.is_missing
    setattr(report, done.outcome, getattr(report, done.outcome) + 1)
