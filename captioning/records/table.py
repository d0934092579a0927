"""A record as an entity of the catalogue's table, and back.

Plain fields are columns of their own, so that people read the table with other tools: a record has
`kind` `record`, its copy in the order of uploads `copy`. `rows` lists the postings that exist for
the record, `save` names the save that wrote it; neither is a part of the record.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from captioning.domain.record import CaptionRecord, StoredRecord
from captioning.ports import Entity, Row
from captioning.records.layout import posting_key, posting_of
from captioning.storage.entities import encoded, size, to_document, to_properties

CUT = "The picture holds more text than a record can (1 MiB): `text` was cut."
RECORD, COPY, STUB = "record", "copy", "stub"
MOST_BYTES = 1_040_000
"""Of the 1 MiB of an entity, for the record and `rows`. The service counts two bytes per UTF-16
unit, Azurite the JSON. A transaction holds the record twice, which is far below its 4 MiB."""
_PLAIN = frozenset(
    {"path", "id", "status", "review", "caption", "alt_text", "description"}
    | {"decorative", "created", "updated", "seconds", "note", "language"}
)
OURS = frozenset({"kind", "rows", "save"})
"""`rows` was in the first layout, too: versions of rows."""


def record_properties(record: CaptionRecord, postings: frozenset[str]) -> Entity:
    """The record's own properties, without keys. Text is cut that does not fit beside a list of
    `postings`."""
    document = record.to_json()
    entity = to_properties(document, _PLAIN)
    note = " ".join(filter(None, [record.note, CUT]))
    if not _fits(entity, postings) and document["previous"]:
        document["previous"] = None
        entity = to_properties(document, _PLAIN)
    while not _fits(entity, postings) and document["text"]:
        document["text"] = document["text"][: len(document["text"]) // 2]
        document["note"] = note
        entity = to_properties(document, _PLAIN)
    return entity


def _fits(entity: Entity, postings: frozenset[str]) -> bool:
    if size(entity) < MOST_BYTES // 4:  # most records are: their JSON need not be made to know
        return True
    rows = save_properties(postings)
    # While an overwritten image moves, the record lists the postings of both places.
    return _bytes(entity) + 2 * _bytes(rows) <= MOST_BYTES


def _bytes(entity: Entity) -> int:
    return max(size(entity), len(encoded(entity)))


def save_properties(rows: Iterable[str]) -> Entity:
    """What a save writes beside the record: the postings that exist after it, and its own name."""
    by_place: dict[str, list[str]] = {}
    for row in sorted(rows):
        term, place = posting_of(row)
        by_place.setdefault(place, []).append(term)
    return {**to_properties({"rows": by_place}, frozenset()), "save": uuid.uuid4().hex}


def rows_in(entity: Entity) -> frozenset[str]:
    """The keys of the postings that exist for the record."""
    by_place = to_document({k: v for k, v in entity.items() if k.startswith("rows")}, frozenset())
    return frozenset(
        posting_key(term, place)
        for place, terms in by_place.get("rows", {}).items()
        for term in terms
    )


def record_in(entity: Entity) -> CaptionRecord:
    """The record; ValueError where the entity holds none."""
    document = {
        name: value
        for name, value in entity.items()
        if name not in OURS and not name.startswith("rows_")
    }
    return CaptionRecord.from_json(to_document(document, _PLAIN))


def stored_in(row: Row) -> StoredRecord:
    """The record with its version."""
    return StoredRecord(record_in(row.entity), row.etag, rows_in(row.entity))
