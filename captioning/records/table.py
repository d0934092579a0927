"""A record as an entity of the catalogue's table, and back.

Plain fields are columns of their own, so that people read the table with other tools: a record has
`kind` `record`, its copy in the order of uploads `copy`. `rows` lists the postings that exist for
the record, `save` names the save that wrote it; neither is a part of the record. Columns that this
version does not know are kept, and so is the text of those that a save does not change: a newer
version may have written more into it.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from captioning.domain.record import CaptionRecord, StoredRecord, record_id
from captioning.ports import Entity, Row
from captioning.records.layout import posting_key, posting_of, postings_of
from captioning.records.unreadable import unreadable
from captioning.search.places import id_at, is_place, time_at
from captioning.storage.entities import (
    decoded,
    encoded,
    field_of,
    size,
    to_document,
    to_properties,
)

CUT = "The picture holds more text than a record can (1 MiB): `text` was cut."
RECORD, COPY, STUB = "record", "copy", "stub"
MOST_BYTES = 1_040_000
"""Of the 1 MiB of an entity, for the record and `rows`. The service counts two bytes per UTF-16
unit, Azurite the JSON. A transaction holds the record twice, which is far below its 4 MiB."""
_PLAIN = frozenset(
    {"path", "id", "status", "review", "caption", "alt_text", "description"}
    | {"decorative", "created", "updated", "seconds", "note", "language"}
)
_OURS = frozenset({"kind", "rows", "save"})
"""`rows` was in the first layout, too: versions of rows."""
_NOT_KEPT = _OURS | {"PartitionKey", "RowKey"}
_FIELDS = tuple(field.name for field in fields(CaptionRecord))
_SUPERSEDED = "carried"
"""A column of earlier versions: reading makes it an entry of `history`, a save drops it."""
_TERM = re.compile(r"[^/\\#?\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,400}")
"""What a term in a key may be."""


def record_properties(
    record: CaptionRecord, postings: frozenset[str], before: StoredRecord | None = None
) -> Entity:
    """The record's own properties, without keys, where it replaces the one `before`. What does not
    fit beside a list of `postings` is cut: text in the picture, then the previous texts; never what
    people wrote."""
    document = record.to_json()
    kept = _kept(record, before)
    entity = _properties(document, kept)
    note = " ".join(filter(None, [record.note, CUT]))
    while not _fits(entity, postings) and document["text"]:
        document["text"] = document["text"][: len(document["text"]) // 2]
        document["note"] = note
        kept = {name: columns for name, columns in kept.items() if name not in {"text", "note"}}
        entity = _properties(document, kept)
    if not _fits(entity, postings):  # last, as people may have written in it
        document["previous"] = None
        kept.pop("previous", None)
        entity = _properties(document, kept)
    return entity


def _kept(record: CaptionRecord, before: StoredRecord | None) -> dict[str, Entity]:
    """The columns of the record `before` that stay as they are, by field: those of the fields that
    are the same in the new one, and those of no field that this version knows."""
    kept: dict[str, Entity] = {}
    columns = before.columns if before else {}
    written_anew = {_SUPERSEDED, "history"} if _SUPERSEDED in columns else set()
    for column, value in columns.items():
        name = field_of(column)
        if name in written_anew:
            continue
        is_known = name in _FIELDS
        if not is_known or (before and getattr(record, name) == getattr(before.record, name)):
            kept.setdefault(name if is_known else column, {})[column] = value
    return kept


def _properties(document: dict[str, Any], kept: Mapping[str, Entity]) -> Entity:
    changed = {name: value for name, value in document.items() if name not in kept}
    entity = to_properties(changed, _PLAIN)
    for columns in kept.values():
        entity |= columns
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


def rows_in(entity: Entity, identity: str) -> frozenset[str] | None:
    """The keys of the postings that exist for the record with this id; None where `rows` does not
    say so."""
    try:
        by_place = to_document(entity, ("rows",), frozenset()).get("rows", {})
        listed = [(term, place) for place, terms in by_place.items() for term in terms]
        are_ours = all(
            _TERM.fullmatch(term) and is_place(place) and id_at(place) == identity
            for term, place in listed
        )
    except (ValueError, AttributeError, TypeError):  # JSON of another shape
        return None
    return frozenset(posting_key(*one) for one in listed) if are_ours else None


def record_in(entity: Entity) -> CaptionRecord:
    """The record; ValueError where the entity holds none that this version can read."""
    record = CaptionRecord.from_json(to_document(entity, (*_FIELDS, _SUPERSEDED), _PLAIN))
    if record.status == "unreadable" or record.id != record_id(record.path):
        raise ValueError("no record is saved like this")
    earlier = [entry.edits for entry in record.history]
    if record.previous:
        earlier.append({**record.previous.texts, "provenance": record.previous.provenance})
    if earlier:
        document = record.to_json()  # fails where it is nested too deeply
        if any(CaptionRecord.wrong_fields(document | texts) for texts in earlier):
            raise ValueError("texts of another kind")
    return record


def columns_in(entity: Entity) -> Entity:
    """The columns of a record, also those that this version does not know."""
    return {name: value for name, value in entity.items() if field_of(name) not in _NOT_KEPT}


def unknown_columns_in(entity: Entity) -> Entity:
    """The columns of a record that this version does not know."""
    known = {*_FIELDS, _SUPERSEDED}
    return {n: value for n, value in columns_in(entity).items() if field_of(n) not in known}


def newer_columns_in(entity: Entity, document: Mapping[str, Any]) -> Entity:
    """The columns of fields into which a newer version has written more than this one reads;
    `document` is the record as this one does."""
    found: Entity = {}
    for name in _FIELDS:
        if name not in _PLAIN and name in entity:
            written = to_document(entity, (name,), _PLAIN)[name]
            if _has_more(written, document.get(name)):
                found |= {n: value for n, value in entity.items() if field_of(n) == name}
    return found


def _has_more(written: object, read: object) -> bool:
    """Whether JSON has fields that were not read."""
    if isinstance(written, dict) and isinstance(read, dict):
        return any(name not in read or _has_more(written[name], read[name]) for name in written)
    if isinstance(written, list) and isinstance(read, list):
        return any(map(_has_more, written, read))
    return False


def columns_to_json(columns: Entity) -> dict[str, Any]:
    """The columns as JSON values, their types beside them as the Table service has them."""
    document: dict[str, Any] = json.loads(encoded(columns))
    return document


def columns_from_json(document: Mapping[str, Any]) -> Entity:
    """The columns that `columns_to_json` has written."""
    return decoded(document)


def stored_in(row: Row, identity: str, place: str | None = None) -> StoredRecord:
    """The record with this id and its version. One that this version cannot read is `unreadable`,
    and uploaded when its place says, where that is known."""
    columns, rows = columns_in(row.entity), rows_in(row.entity, identity)
    try:
        record = record_in(row.entity)
        if record.id != identity:
            raise ValueError("a record of another image")
    except ValueError:  # without its text: it quotes the record
        known = place or next((posting_of(key)[1] for key in sorted(rows or ())), None)
        uploaded = time_at(known) if known else row.written
        found, broken = _readable(row.entity)
        record = unreadable(found, broken, identity, uploaded)
        return StoredRecord(record, row.etag, rows or frozenset(), columns)
    # Where `rows` is broken: the postings that the text asks for. Others lead to nothing.
    return StoredRecord(record, row.etag, postings_of(record) if rows is None else rows, columns)


def _readable(entity: Entity) -> tuple[dict[str, Any], frozenset[str]]:
    """The fields in the columns that can be read, each by itself, and the names of the others."""
    document: dict[str, Any] = {}
    broken: set[str] = set()
    for name in _FIELDS:
        try:
            document |= to_document(entity, (name,), _PLAIN)
        except ValueError:
            broken.add(name)
    return document, frozenset(broken)
