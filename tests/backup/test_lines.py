"""A record as a line: the same record comes back, and a line that holds none says why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from captioning.backup.lines import BadLine, Readable, Unreadable, read, written
from captioning.export.tabular import write_jsonl
from captioning.records.table import record_properties, save_properties
from testing.factories.archive import archive
from testing.factories.records import FULL, short

KEYS = {"PartitionKey": "1", "RowKey": f"record~{FULL.id}", "kind": "record"}
ROW = {**KEYS, **record_properties(FULL, frozenset()), **save_properties(())}


def line(**changes: Any) -> str:
    return json.dumps(FULL.to_json() | changes)


def test_every_record_comes_back_as_it_was() -> None:
    for record in (FULL, *archive(300)):
        properties = record_properties(record, frozenset())
        text, is_readable = written(record.id, {**KEYS, **properties, **save_properties(())})
        assert (is_readable, text.isascii(), "\n" in text) == (True, True, False)
        assert read(text) == Readable(record)


def test_it_is_what_export_writes() -> None:
    class Written(list[str]):
        write = list.append

    lines = Written()
    write_jsonl([FULL], lines)  # type: ignore[arg-type]
    assert lines == [f"{written(FULL.id, ROW)[0]}\n"]


def test_columns_of_another_version_are_kept_beside_it() -> None:
    theirs = {"colour": '["red', "colour_2": '"]'}
    text, is_readable = written(FULL.id, ROW | theirs)
    assert is_readable
    assert read(text) == Readable(FULL, theirs)


def test_a_row_that_cannot_be_read_is_kept_as_it_is() -> None:
    row = ROW | {"status": "published", "stars": 4}
    text, is_readable = written(FULL.id, row)
    assert not is_readable
    kept = {
        n: v for n, v in row.items() if n not in {"PartitionKey", "RowKey", "rows", "save", "kind"}
    }
    assert read(text) == Unreadable(FULL.id, kept)


def test_a_version_that_can_read_it_reads_it() -> None:
    text = json.dumps({"id": FULL.id, "unreadable": {**ROW, "status": "published"}})
    assert read(text.replace("published", "captioned")) == Readable(
        FULL.__class__.from_json(FULL.to_json() | {"status": "captioned"})
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"path": ', "is not JSON"),
        (line(seconds=float("nan")), "is not JSON"),
        ("[1]", "is not a JSON object"),
        ("{}", "`path`: Field required; `id`: Field required; `status`: Field required; and"),
        (line(status="s3cret"), "`status`: Input should be"),
        (line(id="ab" * 32), "`id` is not the SHA-256 of `path`"),
        (line(path=""), "`id` is not the SHA-256 of `path`"),
        (line(updated="2026-11-22T10:00:00"), "no time zone"),
        (line(other={"a b": 1}), "`other`"),
        (line(other={"a": [1]}), "`other`"),
        ('{"id": "1", "unreadable": {}}', "is not a row"),
        (json.dumps({"id": FULL.id, "unreadable": [1]}), "is not a row"),
    ],
)
def test_a_line_without_a_record_says_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(BadLine) as raised:
        read(text)
    assert problem in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(short("a.jpg").to_json() | {"other": {"n@odata.type": "Edm.Int64", "n": "x"}}),
        json.dumps(short("a.jpg").to_json() | {"other": {"kind": "stub"}}),
        json.dumps(short("a.jpg").to_json() | {"other": {"caption": "Not mine."}}),
        json.dumps(short("a.jpg").to_json() | {"newer": {"mood": "calm"}}),
        json.dumps({"id": "a" * 64, "unreadable": {"n": 2**70}}),
        "[" * 100_000,
    ],
    ids=["type", "stub", "known", "unknown", "number", "deep"],
)
def test_columns_that_no_backup_writes_are_refused(text: str) -> None:
    with pytest.raises(BadLine):
        read(text)


def test_a_record_under_the_key_of_another_is_kept_as_that_row() -> None:
    row = record_properties(short("a.jpg"), frozenset())
    line, is_readable = written("a" * 64, row)
    assert not is_readable
    assert read(line) == Unreadable("a" * 64, row)


def test_a_row_that_this_version_can_read_keeps_unknown_columns() -> None:
    row = record_properties(short("a.jpg"), frozenset()) | {"mood": "calm"}
    found = read(json.dumps({"id": short("a.jpg").id, "unreadable": row}))
    assert isinstance(found, Readable)
    assert found.other == {"mood": "calm"}
