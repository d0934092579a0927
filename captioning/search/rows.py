"""The rows of the index that lead to a record, and what a page of the catalogue is made of.

A row's key begins with the image's place: its upload's milliseconds, counted down, and its id. So
every partition reads newest first, and an image sorts to the same place in each. Behind it stands
a version, new with every save that changes such rows: no two saves share a row, and one may be
removed without looking at what others do.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from captioning.domain.record import CaptionRecord, RowVersions, StoredRecord
from captioning.search.terms import Terms, Wording

LAST_MILLISECOND = 10**14 - 1
BEGINNING = ""
"""A position before every place."""
END = "~"
"""A position behind every place; appended to one, behind its rows."""
_PLACE = 14 + 1 + 64


@dataclass(frozen=True, slots=True, order=True)
class IndexRow:
    """Keys of one row of the index: a term's partition, and the image's place with a version."""

    partition: str
    row: str

    @property
    def place(self) -> str:
        """The image's place, the same in every partition."""
        return self.row[:_PLACE]

    @property
    def version(self) -> str:
        """Of the save that wrote it."""
        return self.row[_PLACE + 1 :]


@dataclass(frozen=True, slots=True)
class WriteIntent:
    """What a save is about to add and remove, kept while it is at it: who finds one that is old
    looks which of its rows nobody stands behind."""

    record_id: str
    key: str
    announced: datetime
    rows: frozenset[IndexRow]


@dataclass(frozen=True, slots=True)
class Page:
    """Records newest first, and the position to go on from; None at the end.

    Short, even empty, with a position where much had to be looked through.
    """

    records: tuple[CaptionRecord, ...]
    next: str | None


def place_of(record: CaptionRecord) -> str:
    """Where the record's image stands in every partition."""
    return f"{_down(record.image.modified.timestamp() * 1000)}-{record.id}"


def id_at(place: str) -> str:
    """The id of the record at a place."""
    return place[15:_PLACE]


def after(place: str) -> str:
    """The position behind a place."""
    return place + END


def newest(until: datetime | None) -> str:
    """The position of the newest image before a time; of all without one."""
    return _down(math.ceil(until.timestamp() * 1000)) if until else BEGINNING


def oldest(since: datetime | None) -> str:
    """The position behind the oldest image of a time or later."""
    return f"{_down(since.timestamp() * 1000)}{END}" if since else END


def month_at(position: str) -> str:
    """The month of a place; of a position before all, one later than any."""
    if not position[:14].isdigit():
        return "9999-12"
    moment = datetime.fromtimestamp((LAST_MILLISECOND - int(position[:14])) / 1000, UTC)
    return f"{moment:%Y-%m}"


@dataclass(frozen=True, slots=True)
class IndexedRecord:
    """How a record is listed: where, under which terms, and by rows of which versions."""

    place: str
    terms: Terms
    versions: RowVersions

    @classmethod
    def of(cls, stored: StoredRecord) -> IndexedRecord:
        """Of a record as it is stored."""
        record = stored.record
        return cls(place_of(record), Wording(record).terms, stored.versions)

    @classmethod
    def following(cls, previous: IndexedRecord | None, record: CaptionRecord) -> IndexedRecord:
        """Of a record that replaces one: rows that both have keep their versions."""
        place, terms, fresh = place_of(record), Wording(record).terms, uuid.uuid4().hex[:8]
        if previous is None or previous.place != place:
            return cls(place, terms, RowVersions(fresh, fresh, fresh))
        old, kept = previous.terms, previous.versions
        versions = RowVersions(
            upload=kept.upload if kept.upload and old.upload == terms.upload else fresh,
            content=kept.content if kept.content and old.content == terms.content else fresh,
            state=kept.state if kept.state and old.state == terms.state else fresh,
        )
        return cls(place, terms, versions)

    @property
    def rows(self) -> frozenset[IndexRow]:
        """The rows that the record stands behind."""
        groups = (
            (self.terms.upload, self.versions.upload),
            (self.terms.content, self.versions.content),
            (self.terms.state, self.versions.state),
        )
        return frozenset(
            IndexRow(term, f"{self.place}-{version}") for terms, version in groups for term in terms
        )


def rows_of(stored: StoredRecord | None) -> frozenset[IndexRow]:
    """The rows that a record stands behind; none where there is no record."""
    return IndexedRecord.of(stored).rows if stored else frozenset()


def _down(milliseconds: float) -> str:
    """Counted down from the last one, so that what is newest sorts first."""
    return f"{LAST_MILLISECOND - min(max(int(milliseconds), 0), LAST_MILLISECOND):014d}"
