"""The trash: what is kept of removed records, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from captioning.domain.record import Provenance, StoredRecord, record_id
from captioning.records.trash import KEPT, Trash
from captioning.records.written import has_human_text
from testing.factories.records import FULL, START, short
from testing.fakes.faults import Clock
from testing.harness.planted_rows import plant_in
from testing.harness.storage import Storage


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trash(storage: Storage, clock: Clock) -> Trash:
    return storage.trash(clock)


def test_a_removed_record_is_whole_again(storage: Storage, trash: Trash) -> None:
    stored = storage.catalog.save(FULL, None)
    trash.put(stored)
    [entry] = trash.of(FULL.id)
    assert entry.record == FULL
    assert (entry.path, entry.removed, entry.until) == (FULL.path, START, START + KEPT)
    assert list(trash.all()) == [entry]


def test_each_removal_is_kept_and_a_repeated_one_once(
    storage: Storage, trash: Trash, clock: Clock
) -> None:
    first = storage.catalog.save(short("a.jpg", caption="First."), None)
    trash.put(first)
    clock.advance(60)
    trash.put(first)
    second = storage.catalog.save(short("a.jpg", caption="Second."), first)
    trash.put(second)
    assert [entry.record.caption for entry in trash.of(record_id("a.jpg"))] == ["Second.", "First."]
    assert trash.of(record_id("b.jpg")) == []


def test_it_is_kept_for_thirty_days(storage: Storage, trash: Trash, clock: Clock) -> None:
    trash.put(storage.catalog.save(short("old.jpg"), None))
    clock.advance(timedelta(days=1).total_seconds())
    trash.put(storage.catalog.save(short("new.jpg"), None))
    clock.advance((KEPT - timedelta(days=1, seconds=1)).total_seconds())
    assert trash.purge(None) is None
    assert len(list(trash.all())) == 2
    clock.advance(1)
    assert trash.purge(None) is None
    assert [entry.path for entry in trash.all()] == ["new.jpg"]


def test_columns_that_this_version_does_not_know_are_kept(storage: Storage, trash: Trash) -> None:
    record = storage.catalog.save(short("a.jpg"), None).record
    plant_in(storage, record, licence="CC-BY")
    stored = storage.catalog.get("a.jpg")
    assert stored
    trash.put(stored)
    [row] = storage.account.table(f"{storage.name}trash").page("trash", "", "~", 10)
    assert row["licence"] == "CC-BY"


def test_a_record_that_cannot_be_read_is_kept_as_it_is(storage: Storage, trash: Trash) -> None:
    record = storage.catalog.save(short("a.jpg"), None).record
    plant_in(storage, record, status="translated")
    stored = storage.catalog.get("a.jpg")
    assert stored
    trash.put(stored)
    [row] = storage.account.table(f"{storage.name}trash").page("trash", "", "~", 10)
    assert row["status"] == "translated"
    assert trash.of(record.id)[0].record.status == "unreadable"


def test_what_people_wrote_is_known_wherever_it_is() -> None:
    plain = short("a.jpg")
    assert not has_human_text(plain)
    edited = replace(plain, provenance=Provenance(edited_by_human=("caption",)))
    assert has_human_text(edited)
    assert FULL.previous
    wrote = {**FULL.previous.provenance, "edited_by_human": ["caption"]}
    earlier = replace(FULL.previous, provenance=wrote, texts={"caption": "Anna's."})
    assert has_human_text(replace(plain, previous=earlier))
    assert has_human_text(replace(plain, history=FULL.history))
    assert has_human_text(replace(plain, status="unreadable"))


def test_a_record_without_columns_is_written_from_its_fields(trash: Trash) -> None:
    trash.put(StoredRecord(FULL, "etag"))
    assert trash.of(FULL.id)[0].record == FULL
