"""The cursor: only what the API gave out is taken back."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.api import CaptionApi, _cursor, _row_of
from captioning.errors import BadRequest
from captioning.http_message import Request
from captioning.listing import IndexRow
from captioning.models import record_id
from tests.storage_lab import Storage

IDENTITY = record_id("a.jpg")
ROW = IndexRow("all~2026-11", f"98235678901234-{IDENTITY}", IDENTITY)


def encoded(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


FOREIGN = {
    "empty": "",
    "no base64": "?!",
    "no ascii": "é",
    "no JSON": encoded("x")[:-1],
    "no list": encoded({ROW.partition: 1, ROW.row: 2}),
    "one": encoded([ROW.partition]),
    "three": encoded([ROW.partition, ROW.row, ""]),
    "numbers": encoded([1, 2]),
    "another term": encoded(["tag~dog", ROW.row]),
    "another partition": encoded(["months", ROW.row]),
    "quoting": encoded(["all~2026-11' or PartitionKey gt '", ROW.row]),
    "another row": encoded([ROW.partition, "x"]),
    "lines": encoded([ROW.partition, f"{ROW.row}\n"]),
    "padded": _cursor(ROW) + "=",
    "deep": base64.urlsafe_b64encode(b"[" * 5000).decode(),
    "wide": encoded([ROW.partition, "9" * 6000]),
    "a continuation token": encoded({"PartitionKey": "1!8!MTIz", "RowKey": "1!8!NDU2"}),
}


def test_a_cursor_comes_back_as_the_row_it_was_made_of() -> None:
    assert _row_of(_cursor(ROW)) == ROW


@pytest.mark.parametrize("cursor", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadRequest, match="Start without it"):
        _row_of(cursor)


def test_the_list_refuses_one_too(storage: Storage) -> None:
    api = CaptionApi(storage.catalog)
    with pytest.raises(BadRequest) as caught:
        api.list_captions(Request("https://app.example/api/captions?cursor=x"))
    assert caught.value.reason == "bad_cursor"


@given(st.integers(0, len(_cursor(ROW)) - 1), st.characters(codec="utf-8"))
def test_an_altered_cursor_is_refused_or_another_place(position: int, character: str) -> None:
    cursor = _cursor(ROW)
    altered = cursor[:position] + character + cursor[position + 1 :]
    try:
        row = _row_of(altered)
    except BadRequest:
        return
    assert _cursor(row) == altered
    assert row.partition.startswith("all~")
