"""A periodic walk over all blobs and records, which recovers from lost events and messages.

Each run walks a bounded part, from where the last one ended; at the end it starts again from the
beginning. After a crash at most one page is walked twice.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle
from operator import attrgetter
from typing import Any, Literal, Protocol, TypeVar

from captioning.domain.blobs import BlobDescription, ContainerIdentity, is_ignored
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import FINAL, CaptionRecord
from captioning.errors import BlobGone, RecordChanged, StorageUnavailable
from captioning.maintenance.brake import Brake, Reason
from captioning.maintenance.missing import Mark, MissingBlobs
from captioning.maintenance.subscription import Subscription
from captioning.ports import MessageQueue, StateStore
from captioning.records.catalog import Catalog
from captioning.records.trash import Trash
from captioning.resilience.backoff import LONGEST_FOR_STORAGE

log = logging.getLogger("captioning.maintenance")

Item = TypeVar("Item")
Found = TypeVar("Found")
Find = Literal["new", "stuck", "cared_for"]
KIND = "position"
GRACE = timedelta(minutes=10)
"""How late an event or a message may be before it is taken to be lost."""
GRACE_FREE = GRACE + timedelta(seconds=2 * LONGEST_FOR_STORAGE)
"""Likewise for an image that no run has: its message may wait because storage has failed, and each
further one would be tried as often again."""
SPREAD_SECONDS = 30
"""The messages of a page become visible over this time."""
HANDFUL = 20
SHARE = 0.05
"""A run that misses more blobs than HANDFUL, and than SHARE of the records that it saw, changes no
record. Neither does one that saw every record there is, all of them without a blob."""


class Images(Protocol):
    """The container of images."""

    def describe(self, path: str) -> BlobDescription:
        """A blob, BlobGone where there is none."""

    def page(self, size: int, marker: str | None) -> tuple[list[BlobDescription], str | None]:
        """Up to `size` blobs from `marker` on, and the next marker; None at the end."""

    def identity(self) -> ContainerIdentity:
        """Which container this is."""


class Binding(Protocol):
    """Which container the records are about."""

    def container(self) -> ContainerIdentity | None:
        """None until `bind` has been called."""

    def bind(self, container: ContainerIdentity) -> None:
        """Saves it; RecordChanged where another process did so meanwhile."""


@dataclass(slots=True)
class ReconcileReport:
    """Counts of a run: blobs and records walked, images queued, records `marked` because their blob
    is missing, records removed, `unreadable` records skipped, `settled` saves that had been
    interrupted. `stopped`: why no record was marked or removed. `is_full`: the queue had no room
    for more; `is_broken_off`: storage did not answer. `without_event`: how many of the last hundred
    images came without their event, where that is a sign that events do not arrive."""

    blobs: int = 0
    records: int = 0
    queued: int = 0
    marked: int = 0
    removed: int = 0
    stopped: Reason | None = None
    unreadable: int = 0
    settled: int = 0
    is_full: bool = False
    is_broken_off: bool = False
    without_event: int = 0


class Reconciler:
    """Queues images whose event or message was lost, and removes records of deleted ones.

    A record whose blob is missing is marked, and removed once it has been missing for
    `forget_after`. `forget` removes the record of a path whose blob is gone, and returns whether
    there was one. A run's claim lasts a `lease`. Files that match `ignore` are not queued. What has
    been in the `trash` for long enough is deleted. `subscription` judges whether events arrive.

    A run walks `blob_pages` and `record_pages` pages of `page` items, with `readers` threads. From
    `deepest` messages on no more are queued: the same blobs would be found and queued again.
    """

    def __init__(
        self,
        *,
        images: Images,
        catalog: Catalog,
        binding: Binding,
        queue: MessageQueue[CaptionMessage],
        state: StateStore,
        forget: Callable[[str], bool],
        forget_after: timedelta,
        lease: timedelta,
        now: Callable[[], datetime],
        ignore: Sequence[str] = (),
        trash: Trash | None = None,
        subscription: Subscription | None = None,
        page: int = 500,
        blob_pages: int = 20,
        record_pages: int = 2,
        deepest: int = 5_000,
        readers: int = 16,
    ) -> None:
        self._images = images
        self._catalog = catalog
        self._binding = binding
        self._queue = queue
        self._state = state
        self._missing = MissingBlobs(state)
        self._brake = Brake(state, now)
        self._forget = forget
        self._forget_after = forget_after
        self._lease = lease
        self._now = now
        self._ignore = ignore
        self._trash = trash
        self._subscription = subscription
        self._page, self._blob_pages, self._record_pages = page, blob_pages, record_pages
        self._deepest = deepest
        self._readers = readers

    def run(self) -> ReconcileReport:
        """Walks the next part of both. Where storage does not answer, the run ends there and the
        next one continues."""
        return self._reported(self._walk)

    def confirm(self) -> ReconcileReport:
        """Walks all records, and marks those whose blob is missing as deleted on purpose, however
        many there are. Removes only what has been missing for `forget_after`, as `run` does."""
        return self._reported(self._confirm)

    def _reported(
        self, walk: Callable[[ThreadPoolExecutor, ReconcileReport], None]
    ) -> ReconcileReport:
        report = ReconcileReport()
        try:
            with ThreadPoolExecutor(self._readers, thread_name_prefix="reconcile") as pool:
                walk(pool, report)
        except StorageUnavailable as error:
            log.warning("Reconcile stopped and continues at its next run: %s", error.message)
            report.is_broken_off = True
        log.info(json.dumps({"event": "reconcile", **asdict(report)}))
        return report

    def _walk(self, pool: ThreadPoolExecutor, report: ReconcileReport) -> None:
        since = self._subscription.counts_from() if self._subscription else None
        self._walk_blobs(pool, report, since)
        self._walk_own_records(pool, report)
        report.settled = self._catalog.settle()
        if self._trash:
            self._state.put(KIND, "trash", self._trash.purge(self._state.get(KIND, "trash")))
        if self._subscription:
            self._subscription.judge()
            missing = self._subscription.missing()
            report.without_event = missing.images if missing else 0

    def _walk_own_records(self, pool: ThreadPoolExecutor, report: ReconcileReport) -> None:
        """Walks records where they are about this container, or about none yet."""
        here, own = self._images.identity(), self._binding.container()
        if own and not here.is_same(own):
            report.stopped = "other_container"
            self._brake.pull(report.stopped)
            return
        self._walk_records(pool, report)
        # After a walk that found the images: a wrong setting must not be what they are bound to.
        if own is None and report.stopped is None:
            self._bind(here)

    def _bind(self, container: ContainerIdentity) -> None:
        with suppress(RecordChanged):  # another process was first; the next run compares
            self._binding.bind(container)

    def _confirm(self, pool: ThreadPoolExecutor, report: ReconcileReport) -> None:
        here = self._images.identity()
        self._state.put(KIND, "records", None)
        self._walk_records(pool, report, is_confirmed=True)
        while self._state.get(KIND, "records") is not None:
            self._walk_records(pool, report, is_confirmed=True)
        self._bind(here)

    def _walk_blobs(
        self, pool: ThreadPoolExecutor, report: ReconcileReport, since: datetime | None
    ) -> None:
        """Queues the overlooked blobs of the next pages. Those uploaded `since` then, of which no
        run has heard, should have had an event."""
        position = self._state.get(KIND, "blobs")
        for _ in range(self._blob_pages):
            if self._queue.depth() >= self._deepest:
                report.is_full = True
                return
            blobs, position = self._next_page("blobs", self._images.page, position)
            looks = list(pool.map(partial(_looked, self._find), blobs))
            found = [
                CaptionMessage(
                    blob.path,
                    source="reconcile"
                    if look == "new" and since and blob.modified >= since
                    else None,
                )
                for blob, look in zip(blobs, looks, strict=True)
                if look in {"new", "stuck"}
            ]
            list(pool.map(self._queue.put, found, cycle(range(SPREAD_SECONDS))))
            report.blobs += len(blobs)
            report.queued += len(found)
            report.unreadable += looks.count(None)
            # The position is saved after the page's messages are sent. A crash in between repeats
            # the page, and a second message for an image is ignored.
            self._state.put(KIND, "blobs", position)
            if position is None:
                return

    def _walk_records(
        self, pool: ThreadPoolExecutor, report: ReconcileReport, *, is_confirmed: bool = False
    ) -> None:
        """Marks the records of the next part whose blob is missing, and removes those that were
        marked long enough ago. Changes nothing where too many are missing, unless confirmed."""
        marks = self._missing.all()
        paths, start, end = self._part_of_records()
        looks = list(pool.map(partial(_looked, self._is_missing), paths))
        report.records += len(paths)
        report.unreadable += looks.count(None)
        missing = [path for path, look in zip(paths, looks, strict=True) if look]
        doubtful = [p for p in missing if p not in marks or not marks[p].is_confirmed]
        most = max(HANDFUL, int(len(paths) * SHARE))
        is_everything = start is None and end is None and len(missing) == len(paths)
        if not is_confirmed and doubtful and (is_everything or len(doubtful) > most):
            # The position stays, so that the next run sees whether these images are back.
            report.stopped = "images_missing"
            self._brake.pull(report.stopped, len(missing), len(paths))
            return
        for path in doubtful if is_confirmed else [p for p in doubtful if p not in marks]:
            since = marks[path].since if path in marks else self._now()
            self._missing.put(Mark(path, since, is_confirmed))
            report.marked += 1
        for path, look in zip(paths, looks, strict=True):
            if look is False and path in marks:
                del marks[path]
                self._missing.clear(path)
        self._state.put(KIND, "records", end)
        self._brake.release()
        self._remove(pool, marks.values(), most, report)

    def _part_of_records(self) -> tuple[list[str], Any, Any]:
        """The paths of the next records, the position that they begin at, and the one after them:
        None at the beginning, and at the end."""
        paths: list[str] = []
        position = start = self._state.get(KIND, "records")
        for _ in range(self._record_pages):
            found, position = self._next_page("records", self._catalog.paths, position)
            paths += found
            if position is None:
                break
        return paths, start, position

    def _remove(
        self, pool: ThreadPoolExecutor, marks: Iterable[Mark], most: int, report: ReconcileReport
    ) -> None:
        """Removes the records of due marks, the oldest first, and these marks: at most `most` that
        are not confirmed."""
        latest = self._now() - self._forget_after
        due = sorted((mark for mark in marks if mark.since <= latest), key=attrgetter("since"))
        sure = [mark.path for mark in due if mark.is_confirmed]
        paths = sure[: self._page * self._record_pages]
        paths += [mark.path for mark in due if not mark.is_confirmed][:most]
        looks = list(pool.map(partial(_looked, self._forget), paths))
        report.removed += looks.count(True)
        report.unreadable += looks.count(None)
        # The marks go last: after a crash in between, the next run comes back to these paths. One
        # that could not be read, or whose blob is back, is marked again when it is found missing.
        list(pool.map(self._missing.clear, paths))

    def _next_page(
        self, name: str, page: Callable[[int, Any], tuple[list[Item], Any]], position: Any
    ) -> tuple[list[Item], Any]:
        """The page at a position, or the first one where storage rejects that position."""
        try:
            return page(self._page, position)
        except StorageUnavailable:
            raise
        except Exception as error:
            if position is None:
                raise
            log.warning("The walk of %s starts from the beginning: %s", name, type(error).__name__)
            return page(self._page, None)

    def _find(self, blob: BlobDescription) -> Find | None:
        """Whether the blob has waited longer than GRACE for its first run (`new`) or its next one
        (`stuck`); None where its record cannot be read, and no run would change it."""
        late = self._now() - GRACE
        stored = self._catalog.get(blob.path)
        if stored is None and is_ignored(blob, self._ignore):
            return "cared_for"
        if stored and stored.record.status == "unreadable":
            return None
        if stored is None or stored.record.image.etag != blob.etag:
            return "new" if blob.modified < late else "cared_for"
        return "stuck" if self._is_stuck(stored.record, late) else "cared_for"

    def _is_stuck(self, record: CaptionRecord, late: datetime) -> bool:
        if record.status in FINAL:
            return False
        if record.claim is None:
            return record.updated < self._now() - GRACE_FREE
        ends = record.claim.until
        if record.status == "processing" and ends > self._now() + self._lease:
            return True  # by a clock that was ahead: a run waits for a lease, and takes it over
        return ends < late

    def _is_missing(self, path: str) -> bool:
        """Whether the record's blob is not there."""
        try:
            self._images.describe(path)
        except BlobGone:
            return True
        return False


def _looked(look: Callable[[Item], Found | None], item: Item) -> Found | None:
    """What `look` returns; None where a record cannot be read, which must not stop the walk."""
    try:
        return look(item)
    except ValueError as error:  # its text is not logged: it quotes the record
        log.error("A record could not be reconciled: %s", type(error).__name__)
        return None
