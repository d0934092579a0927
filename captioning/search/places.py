"""Places: the order in which records are listed, the newest upload first.

A place is an upload's milliseconds, counted down, and the record's id. A record has the same place
in every posting list, so lists are merged by comparing places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from captioning.domain.record import CaptionRecord

LAST_MILLISECOND = 10**14 - 1
BEGINNING = ""
"""A position before every place."""
END = "~"
"""A position behind every place; appended to one, the position right behind it."""
LENGTH = 14 + 1 + 64


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
