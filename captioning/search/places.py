"""Places: the order in which records are listed, the newest upload first.

A place is an upload's milliseconds, counted down, and the record's id. A record has the same place
in every posting list, so lists are merged by comparing places.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from captioning.domain.record import CaptionRecord

LAST_MILLISECOND = 10**14 - 1
BEGINNING = ""
"""A position before every place."""
END = "~"
"""A position behind every place; appended to one, the position right behind it."""
LENGTH = 14 + 1 + 64
_PLACE = re.compile(r"[0-9]{14}-[0-9a-f]{64}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Page:
    """Records newest first, and the position to go on from; None at the end.

    Short, even empty, with a position where much had to be looked through.
    """

    records: tuple[CaptionRecord, ...]
    next: str | None


def place_of(record: CaptionRecord) -> str:
    """The record's place."""
    return f"{_down(record.image.modified.timestamp() * 1000)}-{record.id}"


def id_at(place: str) -> str:
    """The id of the record at a place."""
    return place[15:LENGTH]


def is_place(text: str) -> bool:
    """Whether a text is a place: a row that the app did not write may have any key."""
    return _PLACE.fullmatch(text) is not None


def time_at(place: str) -> datetime:
    """The time of the upload at a place, to the millisecond."""
    elapsed = LAST_MILLISECOND - int(place[:14])
    # A microsecond more: as floats, some would be a little less, and at the next place.
    return _EPOCH + timedelta(milliseconds=elapsed, microseconds=1)


def after(place: str) -> str:
    """The position right behind a place."""
    return place + END


def newest(until: datetime | None) -> str:
    """The position of the newest image before a time; of all without one."""
    return _down(math.ceil(until.timestamp() * 1000)) if until else BEGINNING


def oldest(since: datetime | None) -> str:
    """The position behind the oldest image of a time or later."""
    return f"{_down(since.timestamp() * 1000)}{END}" if since else END


def _down(milliseconds: float) -> str:
    """Counted down from the last one, so that what is newest sorts first."""
    return f"{LAST_MILLISECOND - min(max(int(milliseconds), 0), LAST_MILLISECOND):014d}"
