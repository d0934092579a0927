"""Captioning many images again, in rounds: a part at a time, newest first.

The index says which images are stale, so a run that stopped or was killed is continued by the next
one: what has been captioned since is not found again. An image that is requested twice meanwhile is
captioned once.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

from captioning.domain.record import FINAL, CaptionRecord, Status
from captioning.maintenance.recaption import Recaption, new_request
from captioning.records.catalog import Catalog
from captioning.search.query import Query

_ROUNDING = 1e-9
_DATED = re.compile(r"(?:^|[-@:_])(\d{4})-?(\d{2})-?(\d{2})$", re.ASCII)
"""gpt-4o-mini-2024-07-18, 20240718; not gpt-4-0613 or mistral-large-2411, which name no day."""

Verdict = Literal["wanted", "reverted", "failed", "other"]
"""`reverted`: a person went back to an earlier text. `failed`: a run with the present settings has
failed, and the earlier text is still shown. `other`: not selected."""
Stop = Literal["budget", "limit", "price"]


class Estimates(Protocol):
    """The likely price of each image, in US dollars."""

    @property
    def basis(self) -> str:
        """How the prices are estimated, in words."""

    def of(self, record: CaptionRecord) -> float | None:
        """The price of this image; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records a round is for: all that is given must be true of them.

    `status`; `stale`: made with other settings than the present ones; `older_than`: by a model
    dated before that day; `only_review`: in need of review; `since`: uploaded then or later.
    `retry` includes those whose run with the present settings has failed.
    """

    status: Status | None = None
    stale: bool = False
    older_than: date | None = None
    only_review: bool = False
    since: datetime | None = None
    retry: bool = False

    def query(self, fingerprint: str) -> Query:
        """The part of the selection that the index can answer; `fingerprint` is that of the present
        settings."""
        return Query(
            status=self.status,
            review="needed" if self.only_review else None,
            since=self.since,
            not_made=fingerprint if self.stale else None,
        )

    def verdict(self, record: CaptionRecord, fingerprint: str) -> Verdict:
        """Whether a record that was found is selected."""
        made, error = record.provenance, record.error
        if record.status == "unreadable":
            return "other"
        if self.older_than and not _is_older(made.model, self.older_than):
            return "other"
        if made.reverted and record.status in FINAL:
            return "reverted"
        if self.stale and not self.retry and error and error.fingerprint == fingerprint:
            return "failed"
        return "wanted"


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run stops: after so many images, or so many US dollars by the estimates. A dry run
    requests nothing."""

    images: int | None = None
    usd: float | None = None
    dry_run: bool = False


@dataclass(slots=True)
class ReprocessReport:
    """What a run did: images requested, the sum of their estimates in US dollars, and how many have
    none. `reverted` and `failed` count records that were left alone: see Verdict. `stopped` by
    what, and `before` which image."""

    asked: int = 0
    usd: float = 0.0
    unpriced: int = 0
    reverted: int = 0
    failed: int = 0
    stopped: Stop | None = None
    before: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A record whose image is requested, and its estimate in US dollars, None where unknown."""

    record: CaptionRecord
    usd: float | None


class Round:
    """One run through the images of a selection; iterating over it requests one after the other,
    the newest first. `report` says how far it has come.

    `fingerprint` is that of the present settings. A round of stale images resumes by itself: an
    image that has been captioned again is not stale any more. Only stale images have estimates.
    """

    def __init__(
        self,
        selection: Selection,
        limits: Limits,
        *,
        catalog: Catalog,
        recaption: Recaption,
        fingerprint: str,
        estimates: Estimates,
    ) -> None:
        self._selection = selection
        self._limits = limits
        self._catalog = catalog
        self._recaption = recaption
        self._fingerprint = fingerprint
        self._estimates = estimates if selection.stale else None
        self._request = new_request()
        self.report = ReprocessReport()

    @property
    def basis(self) -> str:
        """How the prices are estimated; empty where none are."""
        return self._estimates.basis if self._estimates else ""

    def __iter__(self) -> Generator[Asked]:
        for record in self._catalog.walk(self._selection.query(self._fingerprint)):
            verdict = self._selection.verdict(record, self._fingerprint)
            self.report.reverted += verdict == "reverted"
            self.report.failed += verdict == "failed"
            if verdict != "wanted":
                continue
            usd = self._estimates.of(record) if self._estimates else None
            self.report.stopped = self._stop(usd)
            if self.report.stopped:
                self.report.before = record.path
                return
            self._put(record)
            self.report.asked += 1
            self.report.usd += usd or 0.0
            self.report.unpriced += usd is None and self._estimates is not None
            yield Asked(record, usd)

    def _stop(self, usd: float | None) -> Stop | None:
        """The limit that the next image, with this estimate, would exceed."""
        limits, report = self._limits, self.report
        if limits.images is not None and report.asked >= limits.images:
            return "limit"
        if limits.usd is None:
            return None
        if usd is None:
            return "price"
        return "budget" if report.usd + usd > limits.usd + _ROUNDING else None

    def _put(self, record: CaptionRecord) -> None:
        """Requests the image. Any run takes a stale one, and stored answers for its bytes cost
        nothing; where a run with the present settings has failed, it takes the request's id."""
        if self._limits.dry_run:
            return
        error = record.error
        has_failed = error is not None and error.fingerprint == self._fingerprint
        is_stale = self._selection.stale and not has_failed
        self._recaption.ask(record, self._request, is_stale=is_stale)


def model_date(version: str) -> date | None:
    """The day in a version's name, or of a day itself; None where it names none."""
    found = _DATED.search(version.strip())
    if found is None:
        return None
    try:
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        return None


def _is_older(model: str | None, day: date) -> bool:
    """Whether the model's name has an earlier day; not where it has none."""
    made = model_date(model or "")
    return made is not None and made < day
