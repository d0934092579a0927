"""Which images are asked for again, of all that have a record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal

from captioning.domain.record import FINAL, CaptionRecord, Review, Status
from captioning.maintenance.model_date import model_date
from captioning.search.query import Query

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
