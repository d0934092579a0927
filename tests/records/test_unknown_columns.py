"""Columns of a newer version, or of an operator: a save keeps them as they are."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from azure.data.tables import EdmType, EntityProperty

from captioning.api.edits import EditApi
from captioning.api.messages import Request
from captioning.domain.record import StoredRecord, TextLine
from captioning.ports import Row
from captioning.records.table import CUT, record_properties, stored_in
from captioning.records.written import edits_of
from captioning.storage.entities import decoded, encoded
from testing.factories.records import FULL, START, short
from testing.fakes.faults import Clock
from testing.harness.planted_rows import columns_of, plant_in, rows_of
from testing.harness.storage import Storage

UNKNOWN: dict[str, Any] = {
    "licence": "CC-BY",
    "licence_2": "4.0",
    "rowspan": "{not JSON",
    "reviewers": '["Mila"]',
    "stars": 4,
    "small": EntityProperty(5, EdmType.INT64),
    "large": EntityProperty(2**40, EdmType.INT64),
    "share": 1.0,
    "half": 0.5,
    "nothing": float("nan"),
    "shown": True,
    "when": datetime(2026, 11, 22, 10, tzinfo=UTC),
    "who": UUID("12345678-1234-5678-1234-567812345678"),
    "sketch": b"\x00\xff",
}
"""Of every type that the Table service has."""


def unknown_in(storage: Storage, row: int) -> dict[str, Any]:
    """What the service holds in these columns of the record's row (0) or of its copy (1)."""
    partition, keys = rows_of(storage, FULL)
    columns = columns_of(storage, "catalog", partition, keys[row])
    return {name: columns[name] for name in UNKNOWN}


def saved(storage: Storage, path: str = FULL.path) -> StoredRecord:
    found = storage.catalog.get(path)
    assert found
    return found


def test_columns_of_every_type_survive_saves(storage: Storage) -> None:
    storage.catalog.save(FULL, None)
    plant_in(storage, FULL, **UNKNOWN)
    before = unknown_in(storage, 0)
    again = storage.catalog.save(replace(FULL, caption="A cat."), saved(storage))
    storage.catalog.save(replace(FULL, caption="A bird."), again)
    assert saved(storage).record == replace(FULL, caption="A bird.")
    for row in (0, 1):
        after = unknown_in(storage, row)
        assert repr(after) == repr(before)  # NaN is not equal to itself
    assert [record.caption for record in storage.catalog.walk()] == ["A bird."]


def test_they_survive_a_save_that_deletes_more_postings_than_fit(storage: Storage) -> None:
    words = " ".join(f"w{number}" for number in range(200))
    storage.catalog.save(replace(FULL, alt_text=words), None)
    plant_in(storage, FULL, licence="CC-BY")
    storage.catalog.save(replace(FULL, alt_text=""), saved(storage))
    assert saved(storage).columns["licence"] == "CC-BY"


def test_an_edit_keeps_what_a_newer_version_wrote_into_other_columns(storage: Storage) -> None:
    record = short("a.jpg")
    storage.catalog.save(record, None)
    image = json.dumps({**record.to_json()["image"], "color": "teal"})
    plant_in(storage, record, image=image)
    headers = {"content-type": "application/json", "if-match": "*"}
    request = Request("https://app.example/x", "a.jpg", headers, b'{"caption": "A cat."}')
    assert EditApi(storage.catalog, Clock()).patch_caption(request).status == 200
    found = saved(storage, "a.jpg")
    assert found.record.caption == "A cat."
    assert found.columns["image"] == image
    assert "color" not in json.loads(found.columns["provenance"])


def test_a_text_that_shrinks_leaves_no_rest_beside_them(storage: Storage) -> None:
    long = short("a.jpg", caption="a" * 70_000)
    stored = storage.catalog.save(long, None)
    assert "caption_3" in stored.columns
    storage.catalog.save(replace(long, caption="Short."), stored)
    assert saved(storage, "a.jpg").columns.keys() & {"caption_2", "caption_3"} == set()


def test_they_stay_where_text_is_cut(storage: Storage) -> None:
    record = short("a.jpg", text=(TextLine("b", (0, 0, 1, 1)),))
    storage.catalog.save(record, None)
    plant_in(storage, record, licence="c" * 30_000)
    lines = tuple(TextLine("a" * 900, (n, 0, 1, 1)) for n in range(1_200))
    stored = storage.catalog.save(replace(record, text=lines), saved(storage, "a.jpg"))
    assert stored.record.note == CUT
    assert saved(storage, "a.jpg") == stored
    assert stored.columns["licence"] == "c" * 30_000
    # What was cut is not unchanged: the next save that changes nothing else keeps what is there.
    again = storage.catalog.save(replace(stored.record, caption="A."), stored)
    assert again.record == replace(stored.record, caption="A.")


def test_what_people_wrote_into_fields_of_a_newer_version_is_passed_over() -> None:
    made = replace(FULL.provenance, edited_by_human=("caption", "title"))
    assert edits_of(replace(FULL, provenance=made)) == {"caption": FULL.caption}


@pytest.mark.parametrize("column", ["created", "seconds"])
def test_a_column_of_another_form_with_the_same_value_stays(column: str) -> None:
    forms = {"created": "2026-11-22T11:59:59.999999+02:00", "seconds": 2}
    entity = record_properties(FULL, frozenset()) | {column: forms[column]}
    stored = stored_in(Row(entity, "e", START), FULL.id)
    assert stored.record == FULL
    assert record_properties(FULL, frozenset(), stored)[column] == forms[column]


def test_types_survive_the_encoding() -> None:
    told = {
        "when@odata.type": "Edm.DateTime",
        "when": "2026-11-22T10:00:00Z",
        "sketch@odata.type": "Edm.Binary",
        "sketch": "AP8=",
        "small@odata.type": "Edm.Int64",
        "small": "5",
        "share@odata.type": "Edm.Double",
        "share": "NaN",
    }
    assert json.loads(encoded(decoded(told))) == told
