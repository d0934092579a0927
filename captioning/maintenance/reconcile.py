"""A periodic walk over all blobs and records, which recovers from lost events and messages.

Each run walks a bounded part, from where the last one ended; at the end it starts again from the
beginning. After a crash at most one page is walked twice.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import cycle
from typing import Any, Protocol, TypeVar

from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import FINAL
from captioning.errors import BlobGone, StorageUnavailable
from captioning.ports import MessageQueue, StateStore
from captioning.records.catalog import Catalog

log = logging.getLogger("captioning.maintenance")

Item = TypeVar("Item")
KIND = "position"
GRACE = timedelta(minutes=10)
"""How late an event or a message may be before it is taken to be lost."""
SPREAD_SECONDS = 30
"""The messages of a page become visible over this time."""


class Images(Protocol):
    """The container of images."""

    def describe(self, path: str) -> BlobDescription:
        """A blob, BlobGone where there is none."""

    def page(self, size: int, marker: str | None) -> tuple[list[BlobDescription], str | None]:
        """Up to `size` blobs from `marker` on, and the next marker; None at the end."""


@dataclass(slots=True)
class ReconcileReport:
    """Counts of a run: blobs and records walked, images queued, records removed, `unreadable`
    records skipped, `settled` saves that had been interrupted. `is_full`: the queue had no room for
    more; `is_broken_off`: storage did not answer."""

    blobs: int = 0
    records: int = 0
    queued: int = 0
    removed: int = 0
    unreadable: int = 0
    settled: int = 0
    is_full: bool = False
    is_broken_off: bool = False


class Reconciler:
    """Queues images whose event or message was lost, and removes records of deleted ones.

    `forget` removes the record of a path whose blob is gone, and returns whether there was one.
    A run walks `blob_pages` and `record_pages` pages of `page` items, with `readers` threads. From
    `deepest` messages on no more are queued: the same blobs would be found and queued again.
    """

    def __init__(
        self,
        *,
        images: Images,
        catalog: Catalog,
        queue: MessageQueue[CaptionMessage],
        state: StateStore,
        forget: Callable[[str], bool],
        now: Callable[[], datetime],
        page: int = 500,
        blob_pages: int = 20,
        record_pages: int = 2,
        deepest: int = 5_000,
        readers: int = 16,
    ) -> None:
        self._images = images
        self._catalog = catalog
        self._queue = queue
        self._state = state
        self._forget = forget
        self._now = now
        self._page, self._blob_pages, self._record_pages = page, blob_pages, record_pages
        self._deepest = deepest
        self._readers = readers

    def run(self) -> ReconcileReport:
        """Walks the next part of both. Where storage does not answer, the run ends there and the
        next one continues."""
        report = ReconcileReport()
        try:
            with ThreadPoolExecutor(self._readers, thread_name_prefix="reconcile") as pool:
                self._walk_blobs(pool, report)
                self._walk_records(pool, report)
            report.settled = self._catalog.settle()
        except StorageUnavailable as error:
            log.warning("Reconcile stopped and continues at its next run: %s", error.message)
            report.is_broken_off = True
        log.info(json.dumps({"event": "reconcile", **asdict(report)}))
        return report

    def _walk_blobs(self, pool: ThreadPoolExecutor, report: ReconcileReport) -> None:
        for _ in range(self._blob_pages):
            if self._queue.depth() >= self._deepest:
                report.is_full = True
                return
            blobs, position = self._next_page("blobs", self._images.page)
            looks = list(pool.map(partial(_looked, self._is_overlooked), blobs))
            found = [
                CaptionMessage(blob.path) for blob, look in zip(blobs, looks, strict=True) if look
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

    def _walk_records(self, pool: ThreadPoolExecutor, report: ReconcileReport) -> None:
        for _ in range(self._record_pages):
            paths, position = self._next_page("records", self._catalog.paths)
            looks = list(pool.map(partial(_looked, self._is_removed), paths))
            report.records += len(paths)
            report.removed += looks.count(True)
            report.unreadable += looks.count(None)
            self._state.put(KIND, "records", position)
            if position is None:
                return

    def _next_page(
        self, name: str, page: Callable[[int, Any], tuple[list[Item], Any]]
    ) -> tuple[list[Item], Any]:
        """The page at the saved position, or the first one where storage rejects that position."""
        position = self._state.get(KIND, name)
        try:
            return page(self._page, position)
        except StorageUnavailable:
            raise
        except Exception as error:
            if position is None:
                raise
            log.warning("The walk of %s starts from the beginning: %s", name, type(error).__name__)
            return page(self._page, None)

    def _is_overlooked(self, blob: BlobDescription) -> bool:
        """Whether the blob has waited longer than GRACE for its first run or its next one."""
        late = self._now() - GRACE
        stored = self._catalog.get(blob.path)
        if stored is None or stored.record.image.etag != blob.etag:
            return blob.modified < late
        record = stored.record
        last_sign = record.claim.until if record.claim else record.updated
        return record.status not in FINAL and last_sign < late

    def _is_removed(self, path: str) -> bool:
        """Removes the record where its blob is gone; True where it did."""
        try:
            self._images.describe(path)
        except BlobGone:
            return self._forget(path)
        return False


def _looked(look: Callable[[Item], bool], item: Item) -> bool | None:
    """What `look` returns; None where a record cannot be read, which must not stop the walk."""
    try:
        return look(item)
    except ValueError as error:  # its text is not logged: it quotes the record
        log.error("A record could not be reconciled: %s", type(error).__name__)
        return None
