"""Saving a record with its rows: one transaction, or several where the rows are too many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from captioning.domain.record import CaptionRecord, Tag, TextLine
from captioning.errors import RecordChanged
from captioning.ports import EntityTable, Write
from captioning.records.layout import copy_key, postings_of, record_key
from captioning.records.table import stored_in
from captioning.records.writer import MOST_WRITES, RecordRows
from captioning.search.places import place_of
from captioning.search.query import parse
from captioning.storage.accounts import TableAccount
from captioning.storage.curl import Answered, Asked, Curl
from testing.factories.records import FULL, minutes, short
from testing.fakes.faults import FaultInjector
from testing.fakes.stores import MemoryTable
from testing.harness.catalog_rows import Watched, check_rows, rows_of
from testing.harness.storage import Storage

MIB = 1024 * 1024
ODD_TAGS = [
    "~",
    "a~b",
    "~~~",
    "🐕",
    "!?",
    " ",
    "",
    "ÉCLAIR",
    "a/b#?\\c",
    "it's",
    "%41",
    "𠀀",
    "x" * 99,
]


def wordy(path: str, count: int, moment: int = 0, letter: str = "w") -> CaptionRecord:
    """A record of so many words beside its path."""
    text = " ".join(f"{letter}{number}" for number in range(count))
    return short(path, minutes(moment), caption="First.", text=(TextLine(text, (0, 0, 1, 1)),))


LONG_PATH = "/".join(f"p{number}" for number in range(200))
"""With 200 words in the text: a record with 400."""


def rows_for(table: EntityTable, record: CaptionRecord, most: int = MOST_WRITES) -> RecordRows:
    return RecordRows(table, "0", record.id, most)


@pytest.fixture(params=["memory", "azurite"])
def table(request: pytest.FixtureRequest) -> Iterator[EntityTable]:
    """A table that is looked at after every transaction."""
    if request.param == "memory":
        yield Watched(MemoryTable())
    else:
        yield Watched(request.getfixturevalue("storage").table)


@pytest.mark.parametrize(("path", "words"), [("a.jpg", 20), ("a.jpg", 199), (LONG_PATH, 199)])
def test_a_record_of_any_number_of_words_is_saved_moved_and_removed(
    table: EntityTable, path: str, words: int
) -> None:
    first = wordy(path, words)
    stored = rows_for(table, first).save(first, None)
    assert stored.record == first
    assert stored.rows == postings_of(first) > frozenset()
    moved = wordy(path, words, moment=5, letter="v")
    again = rows_for(table, first).save(moved, stored)
    assert again.rows == postings_of(moved)
    bare = rows_for(table, first).save(short(path, minutes(5)), again)
    assert bare.rows == postings_of(short(path, minutes(5)))
    rows_for(table, first).remove(rows_for(table, first).save(moved, bare))
    assert rows_of(table) == {}


@pytest.mark.parametrize(("path", "words", "expected"), [("a.jpg", 20, 1), (LONG_PATH, 199, 5)])
def test_as_few_transactions_are_made_as_there_can_be(path: str, words: int, expected: int) -> None:
    injector = FaultInjector()
    record = wordy(path, words)
    table = injector.wrap(MemoryTable())
    stored = rows_for(table, record).save(record, None)
    assert injector.calls == ["MemoryTable.transact"] * expected
    again = rows_for(table, record).save(replace(record, seconds=2.0), stored)
    assert len(injector.calls) == expected + 1
    rows_for(table, record).remove(again)
    assert len(injector.calls) == 2 * expected + 1


class Bodies(Curl):
    """Notes how long the bodies are that are sent."""

    def __init__(self) -> None:
        super().__init__(direct=True)
        self.sizes: list[int] = []

    def send(self, asked: Asked) -> Answered | None:
        self.sizes.append(len(asked.body or b""))
        return super().send(asked)


def test_a_record_of_a_mebibyte_is_less_than_4_mib_with_its_copy_and_postings(
    storage: Storage, stack: ExitStack
) -> None:
    assert storage.account
    curl = Bodies()
    account = TableAccount(connection_string=storage.connection, curl=curl)
    stack.callback(account.close)
    table = Watched(account.table(f"{storage.name}catalog"))
    path = "".join(chr(0x4E00 + number) for number in range(150))
    words = TextLine(" ".join(chr(0xAC00 + number) * 64 for number in range(200)), (0, 0, 1, 1))
    for number, injector in enumerate(["a" * 900, "字" * 900, '"' * 900, "\x01" * 900]):
        text = (words, *(TextLine(injector, (0, 0, 1, 1)),) * 1_000)
        record = short(f"{path}{number}", minutes(0), caption="First.", text=text)
        stored = rows_for(table, record).save(record, None)
        kept = read(table, record).text
        assert kept == text[: len(kept)]
        assert len(kept) >= len(text) // 20
        moved = replace(record, image=replace(record.image, modified=minutes(1)))
        again = rows_for(table, record).save(moved, stored)
        assert again.rows == postings_of(moved)
        rows_for(table, record).remove(again)
    assert MIB < max(curl.sizes) < 2.3 * MIB
    assert rows_of(table) == {}


def read(table: EntityTable, record: CaptionRecord) -> CaptionRecord:
    row = table.get("0", record_key(record.id))
    assert row
    return stored_in(row, record.id).record


def test_rows_that_other_tools_deleted_do_not_have_to_be_deleted(table: EntityTable) -> None:
    record = wordy("a.jpg", 20)
    lost = [*sorted(postings_of(record))[:3], copy_key(place_of(record))]
    for change in (wordy("a.jpg", 20, moment=5, letter="v"), None):
        plain = getattr(table, "_table")  # noqa: B009 - not looked at: a row is missing
        stored = rows_for(plain, record).save(record, None)
        plain.transact([Write("delete", {"PartitionKey": "0", "RowKey": row}) for row in lost])
        if change:
            again = rows_for(plain, record).save(change, stored)
            assert again.rows == postings_of(change)
            check_rows(plain)
            rows_for(plain, record).remove(again)
        else:
            rows_for(plain, record).remove(stored)
        assert rows_of(plain) == {}


def test_a_copy_that_was_deleted_comes_back_with_the_next_save(table: EntityTable) -> None:
    record = short("a.jpg")
    plain = getattr(table, "_table")  # noqa: B009 - likewise
    stored = rows_for(plain, record).save(record, None)
    key = {"PartitionKey": "0", "RowKey": copy_key(place_of(record))}
    plain.transact([Write("delete", key)])
    rows_for(plain, record).save(record, stored)
    check_rows(plain)


def test_another_version_is_neither_replaced_nor_removed(table: EntityTable) -> None:
    record = short("a.jpg")
    old = rows_for(table, record).save(record, None)
    newer = rows_for(table, record).save(replace(record, caption="Newer."), old)
    with pytest.raises(RecordChanged):
        rows_for(table, record).save(record, old)
    with pytest.raises(RecordChanged):
        rows_for(table, record).save(record, None)
    with pytest.raises(RecordChanged):
        rows_for(table, record).remove(old)
    rows_for(table, record).remove(newer)
    with pytest.raises(RecordChanged):
        rows_for(table, record).remove(newer)
    with pytest.raises(RecordChanged):
        rows_for(table, record).save(record, newer)
    assert rows_of(table) == {}


def test_a_tag_of_any_name_is_found_by_it_and_by_no_other(storage: Storage) -> None:
    for number, name in enumerate(ODD_TAGS):
        storage.catalog.save(short(f"{number}.jpg", minutes(number), tags=(Tag(name, 1.0),)), None)
    check_rows(storage.table)
    for number, name in enumerate(ODD_TAGS):
        if name.strip():
            found = storage.catalog.search(parse("", [name], ("en",)), 10).records
            assert [record.path for record in found] == [f"{number}.jpg"]
    shown = storage.catalog.tags("", 100)
    assert sorted(shown) == sorted(name for name in ODD_TAGS if name.strip())
    assert storage.catalog.tags("𠀀", 100) == ["𠀀"]
    assert storage.catalog.tags("écl", 100) == ["ÉCLAIR"]


def test_all_that_a_record_can_hold_is_found_again(table: EntityTable) -> None:
    rows_for(table, FULL).save(FULL, None)
    assert len(rows_of(table)) == 2 + len(postings_of(FULL))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held
