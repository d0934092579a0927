"""Records on real Table Storage: nothing is lost on the way, nobody's version is overwritten."""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioning.domain.record import (
    CaptionRecord,
    CaptionText,
    RowVersions,
    StoredRecord,
    TextLine,
    record_id,
)
from captioning.errors import StorageUnavailable
from captioning.records.table import CUT, RecordTable, _to_entity, _to_record
from captioning.storage.accounts import TableAccount
from captioning.storage.entities import PROPERTY_UNITS, Row
from testing.azurite import free_ports
from testing.factories.records import FULL, START, short
from testing.harness.storage import Storage

VERSIONS = RowVersions("01234567", "89abcdef", "00000000")
LONG = {
    "ascii": "a" * (PROPERTY_UNITS + 1),
    "emoji over the boundary": "a" * (PROPERTY_UNITS - 1) + "🏖" * PROPERTY_UNITS,
    "Chinese": "海" * (3 * PROPERTY_UNITS),
}
ODD_PATHS = ["🏖/📷.jpg", "a#b?c/%41+d.jpg", "海" * 1024, 'it\'s "q" \\ é.jpg', "a/../b./c."]


def saved(store: RecordTable, record: CaptionRecord) -> CaptionRecord:
    """What is read after a record was created."""
    store.put(record, None, VERSIONS)
    return read(store, record).record


def read(store: RecordTable, record: CaptionRecord) -> StoredRecord:
    stored = store.get(record.id)
    assert stored is not None
    return stored


def defaults(value: Any) -> list[str]:
    """Fields, at any depth, that hold their default."""
    found = []
    for item in dataclasses.fields(value):
        held = getattr(value, item.name)
        factory = item.default_factory
        default = item.default if factory is MISSING else factory()
        found += [item.name] if held == default else []
        found += defaults(held) if dataclasses.is_dataclass(held) else []
    return found


def test_the_full_record_leaves_no_field_at_its_default() -> None:
    assert defaults(FULL) == []


def test_every_field_survives(storage: Storage) -> None:
    assert saved(storage.records, FULL) == FULL


def test_a_record_of_next_to_nothing_survives(storage: Storage) -> None:
    record = short("a.jpg", caption=None)
    assert saved(storage.records, record) == record
    assert storage.records.get(record_id("another.jpg")) is None


def test_what_was_said_before_goes_first_where_a_record_is_too_big(storage: Storage) -> None:
    """Text in the picture is cut only where that is not enough."""
    assert FULL.previous
    lines = (TextLine("a" * 30_000, (0, 0, 0, 0)),)
    before = replace(FULL.previous, texts={"caption": "b" * 480_000})
    record = replace(FULL, path="big.jpg", text=lines, previous=before)
    assert saved(storage.records, record) == replace(record, previous=None)


def test_replacing_drops_what_the_new_version_lacks(storage: Storage) -> None:
    etag = storage.records.put(FULL, None, VERSIONS)
    bare = replace(short(FULL.path), caption=None)
    newer = replace(VERSIONS, state="ffffffff")
    second = storage.records.put(bare, etag, newer)
    assert read(storage.records, FULL) == StoredRecord(bare, second, newer)
    assert second != etag


def test_a_shorter_text_leaves_no_rest_of_the_longer_one(storage: Storage) -> None:
    etag = storage.records.put(short("a.jpg", caption=LONG["Chinese"]), None, VERSIONS)
    storage.records.put(short("a.jpg", caption="Short."), etag, VERSIONS)
    assert read(storage.records, short("a.jpg")).record.caption == "Short."


def test_without_a_table_saving_says_so(storage: Storage) -> None:
    records = RecordTable(storage.account.table("nosuchtable"))
    with pytest.raises(StorageUnavailable, match="404"):
        records.put(FULL, None, VERSIONS)


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_texts_longer_than_a_property_survive(storage: Storage, text: str) -> None:
    record = short(
        "long.jpg",
        caption=text,
        translations={"de": CaptionText("c", "a", text)},
        text=tuple(TextLine(text[:900], (n, 0, 1, 1)) for n in range(90)),
    )
    assert saved(storage.records, record) == record


@pytest.mark.parametrize("lines", [1, 3_000])
def test_text_beyond_what_a_record_holds_is_cut_and_said(storage: Storage, lines: int) -> None:
    text = tuple(TextLine("字" * (900_000 // lines), (n, 0, 1, 1)) for n in range(lines))
    record = short("poster.jpg", text=text, note="Known.")
    kept = saved(storage.records, record)
    assert kept == replace(record, text=kept.text, note=f"Known. {CUT}")
    assert kept.text == text[: len(kept.text)]
    assert len(kept.text) >= lines // 4


def test_lone_surrogates_are_replaced(storage: Storage) -> None:
    text = (TextLine("a\udc00", (0, 0, 0, 0)),)
    kept = saved(storage.records, short("s.jpg", caption="x\ud83d", text=text))
    assert kept.caption == "x�"
    assert kept.text[0].text == "a�"


@pytest.mark.parametrize("path", ODD_PATHS, ids=range(len(ODD_PATHS)))
def test_odd_paths_survive(storage: Storage, path: str) -> None:
    assert saved(storage.records, short(path)) == short(path)


def test_a_table_is_there_or_not(storage: Storage) -> None:
    assert storage.records.is_there()
    assert not RecordTable(storage.account.table("nosuchtable")).is_there()


def test_a_dead_storage_is_not_there() -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}/a"
    account = TableAccount(
        connection_string=f"AccountName=a;AccountKey=a2V5;TableEndpoint={dead};BlobEndpoint={dead}"
    )
    assert not RecordTable(account.table("captions")).is_there()
    account.close()


@given(st.text(st.characters(codec="utf-8")), st.floats(0, 1e6), st.booleans())
@settings(max_examples=50)
def test_any_text_survives_the_entity(text: str, seconds: float, decorative: bool) -> None:
    record = replace(
        FULL,
        caption=text,
        note=text,
        text=(TextLine(text, (0, 0, 1, 1)),),
        translations={text: CaptionText(text, text)},
        seconds=seconds,
        decorative=decorative,
    )
    row = Row(_to_entity(record, VERSIONS), "etag", START)
    assert _to_record(row) == StoredRecord(record, "etag", VERSIONS)
