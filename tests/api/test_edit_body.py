"""What a person may send: which bodies are edits, and what is said about the others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from captioning.api.edits import MAX_ALT_TEXT, MAX_CAPTION, MAX_TAG, MAX_TAGS, edits_in
from captioning.domain.record import Written
from captioning.errors import BadRequest
from captioning.records.edits import edited
from captioning.records.history import snapshot
from captioning.records.layout import postings_of
from captioning.records.table import record_in, record_properties, save_properties
from captioning.records.written import MOST_WRITTEN
from captioning.storage.entities import encoded, size
from testing.factories.records import FULL, START


def sent(**fields: Any) -> dict[str, Any]:
    """The edits in a body with these fields."""
    return edits_in(json.dumps(fields).encode())


def refusal(body: bytes) -> tuple[str, str]:
    """Code and message for a body that is refused."""
    with pytest.raises(BadRequest) as caught:
        edits_in(body)
    return caught.value.reason, caught.value.message


def tags(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "confidence": 1.0} for name in names]


@pytest.mark.parametrize(
    ("body", "edits"),
    [
        ({"caption": " Mila, 3.\n"}, {"caption": "Mila, 3."}),
        ({"caption": None, "alt_text": None}, {"caption": None, "alt_text": None}),
        ({"alt_text": " "}, {"alt_text": ""}),
        ({"decorative": True, "alt_text": ""}, {"decorative": True, "alt_text": ""}),
        ({"decorative": False}, {"decorative": False}),
        ({"review": "done"}, {"review": "done"}),
        ({"tags": []}, {"tags": []}),
        ({"tags": [" Dog", "cat", "dog ", "STRASSE", "straße"]}, tags("Dog", "cat", "STRASSE")),
        ({"caption": "👩‍👧 می‌خواهم"}, {"caption": "👩‍👧 می‌خواهم"}),
        ({"tags": ["x" * MAX_TAG] * 2}, tags("x" * MAX_TAG)),
    ],
)
def test_what_is_given_is_an_edit(body: dict[str, Any], edits: Any) -> None:
    assert sent(**body) == (edits if isinstance(edits, dict) else {"tags": edits})


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b'"caption"', b"1" * 5_000, b"{}", b"\xff{}"),
        *(b"\xef\xbb\xbf{}", '{"caption":"x"}'.encode("utf-16"), b'{"caption":"x"} {}'),
        *(b'{"caption":NaN}', b'{"caption":-Infinity}', b'{"caption":"\n"}', b"{'caption':1}"),
        *(b'{"caption":"a","caption":"b"}', b'{"tags":[{"a":1,"a":2}]}'),
        *(b"[" * 60_000, b'{"caption":' + b"[" * 60_000, b'{"a":' * 12_000),
    ],
    ids=range(20),
)
def test_other_bodies_are_refused(body: bytes) -> None:
    assert refusal(body)[0] == "bad_body"


WRONG: dict[str, list[Any]] = {
    "caption": [
        *(1, True, ["x"], {}, "", " ", "\u200b", "a\x00", "a\nb", "a\x1bb", "\u2028a\u2028b"),
        *("\ud800", "a" * (MAX_CAPTION + 1)),
    ],
    "alt_text": [1, "a\tb", "\x7f", "\u200b", "a" * (MAX_ALT_TEXT + 1)],
    "decorative": [None, 1, 0, "true", "", []],
    "tags": [
        *(None, "dog", {}, [1], [None], [["dog"]], [""], [" "], [{"name": "dog"}], ["a\x00"]),
        *(["\udfff"], ["x" * (MAX_TAG + 1)], [str(number) for number in range(MAX_TAGS + 1)]),
    ],
    "review": [None, "", "Done", "maybe", 1, ["done"]],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
)
def test_a_field_that_is_wrong_is_named(field: str, value: Any) -> None:
    code, message = refusal(json.dumps({"review": "done", field: value}).encode())
    assert code == "bad_field"
    assert message.startswith(field)


@pytest.mark.parametrize("field", ["status", "description", "Caption", "provenance", "x" * 9_999])
def test_a_field_that_nobody_can_edit_is_named(field: str) -> None:
    code, message = refusal(json.dumps({"caption": "x", field: "s3cret"}).encode())
    assert code == "bad_field"
    assert field[:40] in message
    assert len(message) < 200
    assert "s3cret" not in message


def test_a_decorative_picture_has_no_alt_text() -> None:
    code, message = refusal(b'{"decorative": true, "alt_text": "A border."}')
    assert (code, "alt_text" in message) == ("bad_field", True)


def test_everything_a_person_may_write_fits_a_record() -> None:
    """Also in its previous texts and a full history, with the widest characters."""
    wide = "🐕"
    edits = sent(
        caption=wide * MAX_CAPTION,
        alt_text=wide * MAX_ALT_TEXT,
        tags=[f"{number:02}{wide * (MAX_TAG - 2)}" for number in range(MAX_TAGS)],
        review="done",
    )
    history = tuple(Written(f"{number:064}", edits, START) for number in range(MOST_WRITTEN))
    record = replace(edited(FULL, edits, START), history=history)
    record = replace(record, previous=snapshot(record, START))
    moved = replace(record, image=replace(record.image, modified=START - timedelta(days=1)))
    rows = postings_of(record) | postings_of(moved)
    entity = record_properties(record, postings_of(record))
    assert record_in(entity) == record
    whole = entity | save_properties(rows)
    assert max(size(whole), len(encoded(whole))) < 1_048_576 - 1_024
