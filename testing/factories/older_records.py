"""Records as the first layout stored them, in a table partitioned by the start of their ids."""

from __future__ import annotations

from dataclasses import replace

from captioning.domain.record import CaptionRecord, TextLine, record_id
from captioning.ports import Entity
from captioning.storage.entities import to_properties
from testing.factories.records import FULL, minutes, short

PLAIN = frozenset(
    {"path", "id", "status", "review", "caption", "alt_text", "description"}
    | {"decorative", "created", "updated", "seconds", "note", "language"}
)


def older_entity(record: CaptionRecord) -> Entity:
    """The entity; `rows` held the versions of the record's rows in the index."""
    keys = {"PartitionKey": record.id[:2], "RowKey": record.id}
    document = record.to_json()
    [carried] = document.pop("history") or [None]
    if carried:
        document["carried"] = {name: carried[name] for name in ("sha256", "edits")}
    properties = to_properties(document, PLAIN)
    return {**keys, **properties, "rows": "01234567 89abcdef 00000000"}


def older_records(count: int) -> list[CaptionRecord]:
    """Every third with every field, every tenth with a long text in the picture."""
    return [_record(number) for number in range(count)]


def _record(number: int) -> CaptionRecord:
    path = f"{number}/é.jpg"
    caption = f"Picture number{number}."
    if number % 3 == 0:
        image = replace(FULL.image, modified=minutes(number))
        history = (replace(FULL.history[0], until=FULL.updated, undone=False),)
        full = replace(FULL, image=image, caption=caption, history=history)
        return replace(full, path=path, id=record_id(path))
    if number % 10 == 1:
        words = " ".join(f"w{number}x{place}" for place in range(250))
        lines = tuple(TextLine(words, (0, 0, 1, line)) for line in range(30))
        return short(path, minutes(number), caption=caption, text=lines)
    return short(path, minutes(number), caption=caption)
