"""A page of the catalogue, and the rows of the index that lead to it."""

from __future__ import annotations

from dataclasses import dataclass

from captioning.models import CaptionRecord


@dataclass(frozen=True, slots=True)
class IndexRow:
    """Keys of one row of the index: a term's partition, and the image's place in it."""

    partition: str
    row: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Records newest first, and the row to go on after; None at the end."""

    records: tuple[CaptionRecord, ...]
    last: IndexRow | None
