"""Records on real Table Storage: nothing is lost on the way, nobody's version is overwritten."""

from __future__ import annotations

import dataclasses
import re
import sys
from contextlib import closing
from dataclasses import MISSING, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.data.tables import TableClient
from hypothesis import given, settings
from hypothesis import strategies as st

from captioning.domain.record import (
    CaptionRecord,
    CaptionText,
    StoredRecord,
    TextLine,
    record_id,
)
from captioning.errors import StorageUnavailable
from captioning.ports import Row
from captioning.records.layout import PARTITIONS, postings_of
from captioning.records.table import (
    _PLAIN,
    CUT,
    record_in,
    record_properties,
    rows_in,
    save_properties,
    stored_in,
)
from captioning.storage.accounts import TableAccount
from captioning.storage.entities import PROPERTY_UNITS, encoded, size
from testing.azurite import free_ports
from testing.factories.records import FULL, START, short
from testing.harness.storage import Storage
from testing.markdown import USE, rows, section

LONG = {
    "ascii": "a" * (PROPERTY_UNITS + 1),
    "emoji over the boundary": "a" * (PROPERTY_UNITS - 1) + "🏖" * PROPERTY_UNITS,
    "Chinese": "海" * (3 * PROPERTY_UNITS),
}
ODD_PATHS = ["🏖/📷.jpg", "a#b?c/%41+d.jpg", "海" * 1024, 'it\'s "q" \\ é.jpg', "a/../b./c."]


def saved(storage: Storage, record: CaptionRecord) -> CaptionRecord:
    """What is read after a record was created."""
    storage.catalog.save(record, None)
    return read(storage, record)


def read(storage: Storage, record: CaptionRecord) -> CaptionRecord:
    stored = storage.catalog.get_by_id(record.id)
    assert stored is not None
    return stored.record


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
    assert saved(storage, FULL) == FULL


def test_a_record_of_next_to_nothing_survives(storage: Storage) -> None:
    record = short("a.jpg", caption=None)
    assert saved(storage, record) == record
    assert storage.catalog.get("another.jpg") is None


def test_what_was_said_before_goes_last_where_a_record_is_too_big(storage: Storage) -> None:
    """People may have written it. Their history stays, whatever there is."""
    assert FULL.previous
    lines = (TextLine("a" * 30_000, (0, 0, 0, 0)),)
    before = replace(FULL.previous, texts={"caption": "b" * 450_000})
    record = replace(FULL, path="big.jpg", id=record_id("big.jpg"), text=lines * 4, previous=before)
    cut = saved(storage, record)
    assert cut == replace(record, text=cut.text, note=f"{FULL.note} {CUT}")
    assert cut.text == lines * 2
    before = replace(FULL.previous, texts={"caption": "b" * 530_000})
    record = replace(short("bigger.jpg"), previous=before, history=FULL.history)
    assert saved(storage, record) == replace(record, previous=None)


def test_replacing_drops_what_the_new_version_lacks(storage: Storage) -> None:
    first = storage.catalog.save(FULL, None)
    bare = short(FULL.path, caption=None)
    second = storage.catalog.save(bare, first)
    assert storage.catalog.get(FULL.path) == second
    assert second.record == bare
    assert second.etag != first.etag


def test_a_shorter_text_leaves_no_rest_of_the_longer_one(storage: Storage) -> None:
    first = storage.catalog.save(short("a.jpg", caption=LONG["Chinese"]), None)
    storage.catalog.save(short("a.jpg", caption="Short."), first)
    assert read(storage, short("a.jpg")).caption == "Short."
    assert [record.caption for record in storage.catalog.walk()] == ["Short."]


def test_a_long_list_of_postings_leaves_no_rest_either(storage: Storage) -> None:
    words = " ".join(f"w{number:060}" for number in range(200))
    record = short("a.jpg", caption=None, text=(TextLine(words * 4, (0, 0, 1, 1)),))
    first = storage.catalog.save(record, None)
    assert first.rows == postings_of(record)
    second = storage.catalog.save(short("a.jpg"), storage.catalog.get("a.jpg"))
    assert storage.catalog.get("a.jpg") == second
    assert second.rows == postings_of(short("a.jpg"))


def test_people_read_plain_columns_with_other_tools(storage: Storage) -> None:
    stored = storage.catalog.save(FULL, None)
    client = storage.account.table(f"{storage.name}catalog")
    rows = [row for page in "0123" for row in client.page(page, "", "~", 1_000)]
    [found] = [row for row in rows if row.get("kind") == "record"]
    [copy] = [row for row in rows if row.get("kind") == "copy"]
    for name in ("path", "id", "status", "review", "caption", "alt_text", "created", "note"):
        assert found[name] == copy[name] == FULL.to_json()[name]
    assert found["decorative"] is True
    assert rows_in(found, FULL.id) == stored.rows
    assert not {"rows", "save"} & copy.keys()


def test_without_a_table_saving_says_so(storage: Storage) -> None:
    catalog = storage.catalog_over(storage.account.table("nosuchtable"))
    with pytest.raises(StorageUnavailable, match="404"):
        catalog.save(FULL, None)


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_texts_longer_than_a_property_survive(storage: Storage, text: str) -> None:
    record = short(
        "long.jpg",
        caption=text,
        translations={"de": CaptionText("c", "a", text)},
        text=tuple(TextLine(text[:900], (n, 0, 1, 1)) for n in range(90)),
    )
    assert saved(storage, record) == record


@pytest.mark.parametrize("lines", [1, 3_000])
def test_text_beyond_what_a_record_holds_is_cut_and_said(storage: Storage, lines: int) -> None:
    text = tuple(TextLine("字" * (900_000 // lines), (n, 0, 1, 1)) for n in range(lines))
    record = short("poster.jpg", text=text, note="Known.")
    kept = saved(storage, record)
    assert kept == replace(record, text=kept.text, note=f"Known. {CUT}")
    assert kept.text == text[: len(kept.text)]
    assert len(kept.text) >= lines // 8


def test_lone_surrogates_are_replaced(storage: Storage) -> None:
    text = (TextLine("a\udc00", (0, 0, 0, 0)),)
    kept = saved(storage, short("s.jpg", caption="x\ud83d", text=text))
    assert kept.caption == "x�"
    assert kept.text[0].text == "a�"


@pytest.mark.parametrize("path", ODD_PATHS, ids=range(len(ODD_PATHS)))
def test_odd_paths_survive(storage: Storage, path: str) -> None:
    assert saved(storage, short(path)) == short(path)


def test_a_table_is_there_or_not(storage: Storage) -> None:
    assert storage.catalog.is_there()
    assert not storage.catalog_over(storage.account.table("nosuchtable")).is_there()


def test_a_dead_storage_is_not_there(storage: Storage) -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}/a"
    account = TableAccount(
        connection_string=f"AccountName=a;AccountKey=a2V5;TableEndpoint={dead};BlobEndpoint={dead}",
        retries=0,
    )
    assert not storage.catalog_over(account.table("captions")).is_there()
    account.close()


@pytest.mark.parametrize("character", ["a", "字", '"', "\x01", "🏖"])
@pytest.mark.parametrize("field", ["text", "previous"])
def test_a_record_fits_as_the_service_and_as_the_emulator_count(character: str, field: str) -> None:
    """Also beside 200 words of 64 letters at each of two places."""
    assert FULL.previous
    words = " ".join(chr(0xAC00 + number) * 64 for number in range(200))
    lines = tuple(TextLine(character * 999, (0, 0, 1, 1)) for _ in range(1_000))
    before = replace(FULL.previous, texts={"caption": character * 1_000_000})
    record = replace(FULL, alt_text=words)
    more: Any = {"text": lines} if field == "text" else {"previous": before}
    record = replace(record, **more)
    moved = replace(record, image=replace(record.image, modified=START - timedelta(days=1)))
    rows = postings_of(record)
    entity = record_properties(record, rows) | save_properties(rows | postings_of(moved))
    assert max(size(entity), len(encoded(entity))) < 1_048_576 - 1_024


def test_a_large_record_is_kept_whole_while_it_fits() -> None:
    """As one of a mebibyte was in the first layout."""
    record = replace(FULL, text=(TextLine("a" * 480_000, (0, 0, 1, 1)),))
    assert record_in(record_properties(record, postings_of(record))) == record


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
    rows = postings_of(record)
    entity = record_properties(record, rows) | save_properties(rows)
    assert stored_in(Row(entity, "etag", START), FULL.id) == StoredRecord(record, "etag", rows)


def test_other_tools_read_the_records_as_the_page_says(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = section(USE, "The table in other tools")
    [code] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    snippet: dict[str, Any] = {}
    exec(code.replace("-> pandas.DataFrame", ""), snippet)
    for number in range(12):
        storage.catalog.save(short(f"{number}.jpg", START), None)
    storage.catalog.save(FULL, None)
    paths = {FULL.path, *(f"{number}.jpg" for number in range(12))}
    name = f"{storage.name}catalog"
    with closing(TableClient.from_connection_string(storage.connection, name)) as table:
        found = {row["path"]: row for row in snippet["captions"](table)}
        assert found.keys() == paths
        shown = found[FULL.path]
        assert shown["caption"] == FULL.caption
        assert shown["tags"] == [tag.name for tag in FULL.tags]
        [by_partition] = re.findall(r"`(PartitionKey eq '0' and [^`]+)`", page)
        parts = [by_partition.replace("'0'", f"'{number}'") for number in range(PARTITIONS)]
        listed = [str(row["path"]) for part in parts for row in table.query_entities(part)]
    assert sorted(listed) == sorted(paths)


def test_every_column_is_documented() -> None:
    kinds = {row[0]: row[1] for row in rows(USE, "column")}
    columns = {name for cell in kinds for name in re.findall(r"`(\w+)`", cell)}
    assert columns == FULL.to_json().keys() | {"kind", "rows", "save"}
    json_columns = {
        name
        for cell, held in kinds.items()
        if held.startswith("JSON")
        for name in re.findall(r"`(\w+)`", cell)
    }
    assert json_columns == FULL.to_json().keys() - _PLAIN
