"""Whether blob events arrive. A wrong function name or filter in Event Grid's subscription loses
every event in silence, and only `reconcile` finds the images, later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from captioning.ports import StateStore
from captioning.records.catalog import Catalog
from captioning.resilience.blob_events import KIND, BlobEvents, Latest, moment
from captioning.search.query import Query

NAME = "watch"
PAUSE = timedelta(minutes=20)
"""A longer time between two runs of reconcile means that the app was down."""
SETTLING = timedelta(hours=1)
"""After that, Event Grid may still hold events back: images of this time do not count."""
LATE = timedelta(minutes=30)
"""How late an event may be. By then Event Grid has tried five times."""
APART = timedelta(minutes=2)
"""Clocks, and the time of the latest event, are as exact as that."""
COUNTED, RECENT = 100, 10
"""Images of which those without an event are counted; of the latest ten, one is reason to tell."""


@dataclass(frozen=True, slots=True)
class Missing:
    """So many of the last images came without an event; `since` is the upload of the first one."""

    since: datetime
    images: int
    of: int


@dataclass(frozen=True, slots=True)
class _Watch:
    """What is known between two runs: uploads that count begin with `start`."""

    start: datetime
    seen: datetime
    missing: Missing | None


class Subscription:
    """Judges after each run of reconcile which of the images that it brought in have no event.

    An image counts where the app was up when it was uploaded, where that was half an hour ago, and
    where either no event at all has come since, or events of images uploaded half an hour after it.
    So events that wait in a queue, behind a burst of uploads, are not missing.
    """

    def __init__(
        self,
        events: BlobEvents,
        catalog: Catalog,
        state: StateStore,
        now: Callable[[], datetime],
    ) -> None:
        self._events = events
        self._catalog = catalog
        self._state = state
        self._now = now

    def counts_from(self) -> datetime:
        """From when on an upload must have an event. Asked at the beginning of a run, it notices
        that the app was down."""
        watch = self._watch()
        now = self._now()
        if watch is None or now - watch.seen > PAUSE:
            missing = watch.missing if watch else None
            watch = _Watch(now + SETTLING, now, missing)
            self._save(watch)
        return watch.start

    def judge(self) -> None:
        """Says for health, at the end of a run, what is missing."""
        watch = self._watch()
        start = watch.start if watch else self._now() + SETTLING
        found = self._missing(start)
        if found and watch and watch.missing:  # of the same trouble, the hundred may show the end
            since = min(found.since, watch.missing.since)
            found = Missing(since, found.images, found.of)
        self._save(_Watch(start, self._now(), found))

    def missing(self) -> Missing | None:
        """What the last run found; None where events arrive."""
        watch = self._watch()
        return watch.missing if watch else None

    def _missing(self, start: datetime) -> Missing | None:
        marks = self._events.marks()
        if not marks:
            return None
        settled = self._now() - LATE
        newest = list(islice(self._catalog.walk(Query(until=settled)), COUNTED))
        latest = self._events.latest()
        is_lost = [
            marks.get(record.path) == record.image.modified >= start
            and _is_passed(record.image.modified, latest)
            for record in newest
        ]
        # What is no longer among the last hundred, or deleted, will never be counted again.
        for path in marks.keys() - {record.path for record in newest}:
            if marks[path] < settled:
                self._events.clear(path)
        if not any(is_lost[:RECENT]):
            return None
        since = min(
            record.image.modified for record, lost in zip(newest, is_lost, strict=True) if lost
        )
        return Missing(since, sum(is_lost), len(newest))

    def _watch(self) -> _Watch | None:
        found: _Watch | None = self._state.get(KIND, NAME, _read)
        return found

    def _save(self, watch: _Watch) -> None:
        missing = watch.missing and {
            "since": watch.missing.since.isoformat(),
            "images": watch.missing.images,
            "of": watch.missing.of,
        }
        document = {"start": watch.start.isoformat(), "seen": watch.seen.isoformat()}
        self._state.put(KIND, NAME, document | {"missing": missing})


def _is_passed(uploaded: datetime, latest: Latest | None) -> bool:
    """Whether the event of an image uploaded then would have come by now."""
    if latest is None or latest.at < uploaded - APART:
        return True
    return latest.uploaded >= uploaded + LATE


def _read(document: dict[str, Any]) -> _Watch:
    missing = document.get("missing")
    return _Watch(
        moment(document["start"]),
        moment(document["seen"]),
        missing and Missing(moment(missing["since"]), int(missing["images"]), int(missing["of"])),
    )
