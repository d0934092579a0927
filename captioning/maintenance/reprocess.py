"""Asking for the captions of many images again, a part at a time.

A round through the images of a selection goes on where the last run of it ended, and begins anew
behind its end. A run that is killed costs at most that a page is looked at again: what was asked
for twice is captioned once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal, Protocol

from captioning.domain.record import FINAL, CaptionRecord, Review, Status
from captioning.errors import StorageUnavailable
from captioning.maintenance.recaption import Recaption, new_request
from captioning.ports import StateStore
from captioning.records.catalog import Catalog
from captioning.search.query import Query
from captioning.search.rows import BEGINNING, after, place_of

_DATED = re.compile(r"(?:^|[-@:_])(\d{4})-?(\d{2})-?(\d{2})$", re.ASCII)
"""gpt-4o-mini-2024-07-18, 20240718; not gpt-4-0613 or mistral-large-2411, which tell no day."""


def model_date(version: str) -> date | None:
    """The day in a version's name, or of a day itself; None where it names none."""
    found = _DATED.search(version.strip())
    if found is None:
        return None
    try:
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        return None


Verdict = Literal["wanted", "reverted", "failed", "other"]
"""`reverted`: a person went back to its text; `failed`: a run that asked as the app does now has
failed, and the text is the earlier one."""


@dataclass(frozen=True, slots=True)
class Selection:
    """All that holds for a record: its status; `stale`: it was made otherwise than the app would
    now; `older_than`: by a model of a day before; `only_review`: a person should look at it;
    `since`: uploaded then or later. `retry` takes in those whose new run has failed."""

    status: Status | None = None
    stale: bool = False
    older_than: date | None = None
    only_review: bool = False
    since: datetime | None = None
    retry: bool = False

    @property
    def query(self) -> Query:
        """What the index knows of it."""
        review: Review | None = "needed" if self.only_review else None
        return Query(status=self.status, review=review, since=self.since)

    def verdict(self, record: CaptionRecord, fingerprint: str) -> Verdict:
        """Whether the record is meant, where the app asks as the fingerprint says."""
        made, error = record.provenance, record.error
        if self.stale and (record.status not in FINAL or made.fingerprint in {None, fingerprint}):
            return "other"
        if self.older_than and not _is_older(made.model, self.older_than):
            return "other"
        if made.reverted and record.status in FINAL:
            return "reverted"
        if self.stale and not self.retry and error and error.fingerprint == fingerprint:
            return "failed"
        return "wanted"

    def key(self, fingerprint: str) -> str:
        """Tells it from other selections, and from itself under other settings."""
        document = json.dumps([fingerprint, asdict(self)], default=str)
        return hashlib.sha256(document.encode()).hexdigest()


def _is_older(model: str | None, day: date) -> bool:
    """A model without a day in its name is older than none."""
    made = model_date(model or "")
    return made is not None and made < day


KIND = "reprocess"
PAGE = 100
"""Records that are read at a time; the position is kept behind each page."""
Stop = Literal["budget", "limit", "price"]
_ROUNDING = 1e-9


class Estimates(Protocol):
    """The likely price of each image, in US dollars."""

    @property
    def basis(self) -> str:
        """What the prices rest on, in words."""

    def of(self, record: CaptionRecord) -> float | None:
        """The price of this image; None where none is known."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run stops: so many images, so many dollars by the estimates. A dry one asks for
    nothing; `restart` begins at the newest image again."""

    images: int | None = None
    usd: float | None = None
    dry_run: bool = False
    restart: bool = False


@dataclass(slots=True)
class ReprocessReport:
    """What a run did: images asked for, their estimates, and how many have none; those left alone,
    as a person went back to their text, or a run for them failed. `resumed` where it went on, and
    what it was `stopped` by, and before which image."""

    asked: int = 0
    usd: float = 0.0
    unpriced: int = 0
    reverted: int = 0
    failed: int = 0
    resumed: bool = False
    stopped: Stop | None = None
    before: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A record whose image is asked for, and the estimate in dollars; None where there is none."""

    record: CaptionRecord
    usd: float | None


class Reprocess:
    """Makes rounds; `fingerprint` is how services are asked now, `estimate` makes what estimates
    the price of a round's images."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        recaption: Recaption,
        state: StateStore,
        fingerprint: str,
        estimate: Callable[[], Estimates],
    ) -> None:
        self.catalog = catalog
        self.recaption = recaption
        self.state = state
        self.fingerprint = fingerprint
        self.estimate = estimate

    def round(self, selection: Selection, limits: Limits) -> Round:
        """A run of the round through these images."""
        return Round(self, selection, limits)


class Round:
    """Asks for one image after the other, the newest first, as fast as it is read; `report` tells
    how far it came. Only stale images have estimates and a position that is kept: others are few,
    and new ones come in front."""

    def __init__(self, parts: Reprocess, selection: Selection, limits: Limits) -> None:
        self._parts = parts
        self._selection = selection
        self._limits = limits
        self._asked = new_request()
        self._estimate = parts.estimate() if selection.stale else None
        self._key = selection.key(parts.fingerprint)
        self._at: str | None = BEGINNING
        self.report = ReprocessReport()

    @property
    def basis(self) -> str:
        """What the estimates rest on."""
        return self._estimate.basis if self._estimate else ""

    def __iter__(self) -> Generator[Asked]:
        if self._selection.stale and not self._limits.restart:
            self._at = self._parts.state.get(KIND, self._key) or BEGINNING
            self.report.resumed = self._at != BEGINNING
        try:
            while self._at is not None:
                page = self._parts.catalog.search(self._selection.query, PAGE, self._at)
                yield from self._ask(page.records)
                if self.report.stopped:
                    return
                self._at = page.next
                self._keep()
        finally:
            with suppress(StorageUnavailable):  # the page is looked at again
                self._keep()

    def _ask(self, records: tuple[CaptionRecord, ...]) -> Iterator[Asked]:
        fingerprint, report = self._parts.fingerprint, self.report
        for record in records:
            verdict = self._selection.verdict(record, fingerprint)
            if verdict == "wanted":
                usd = self._estimate.of(record) if self._estimate else None
                report.stopped = self._stop(usd)
                if report.stopped:
                    report.before = record.path
                    return
                self._put(record)
                report.asked += 1
                report.usd += usd or 0.0
                report.unpriced += usd is None and self._estimate is not None
                self._at = after(place_of(record))
                yield Asked(record, usd)
            report.reverted += verdict == "reverted"
            report.failed += verdict == "failed"
            self._at = after(place_of(record))

    def _stop(self, usd: float | None) -> Stop | None:
        """What keeps the next image, with this estimate, from being asked for."""
        limits, report = self._limits, self.report
        if limits.images is not None and report.asked >= limits.images:
            return "limit"
        if limits.usd is None:
            return None
        if usd is None:
            return "price"
        return "budget" if report.usd + usd > limits.usd + _ROUNDING else None

    def _put(self, record: CaptionRecord) -> None:
        """A stale image is free for any run, and what is known of its bytes costs nothing; where a
        run has failed, it takes a request."""
        if self._limits.dry_run:
            return
        error, fingerprint = record.error, self._parts.fingerprint
        has_failed = error is not None and error.fingerprint == fingerprint
        is_stale = self._selection.stale and not has_failed
        self._parts.recaption.ask(record, self._asked, is_stale=is_stale)

    def _keep(self) -> None:
        """Notes where the next run goes on."""
        if self._limits.dry_run or not self._selection.stale:
            return
        if self._at is None:
            self._parts.state.delete(KIND, self._key)
        elif self._at != BEGINNING:
            self._parts.state.put(KIND, self._key, self._at)
