"""The catalogue on real tables: newest first, page by page, and never a row without its record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from captioning.domain.record import CaptionRecord, StoredRecord, record_id
from captioning.errors import RecordChanged, StorageUnavailable
from captioning.records.catalog import EVERYTHING, LATEST_COMMIT, Catalog
from captioning.search.rows import BEGINNING, IndexRow, Page, rows_of
from testing.factories.records import START, minutes, short
from testing.fakes.faults import Clock
from testing.harness.storage import Storage

MONTH = timedelta(days=31)


def walk(
    catalog: Catalog, limit: int, between: Callable[[int], None] = lambda _: None
) -> list[str]:
    """The paths on all pages; `between` is called with the number of each page after it."""
    paths: list[str] = []
    position: str | None = BEGINNING
    for number in range(100):
        if position is None:
            return paths
        page = catalog.search(EVERYTHING, limit, position)
        assert len(page.records) <= limit
        paths += [record.path for record in page.records]
        between(number)
        position = page.next
    raise AssertionError("the pages have no end")


def fill(catalog: Catalog, count: int) -> list[str]:
    """Saves images a minute apart; their paths, the newest first."""
    for number in range(count):
        catalog.save(short(f"{number}.jpg", minutes(number)), None)
    return [f"{number}.jpg" for number in reversed(range(count))]


def stored(catalog: Catalog, path: str) -> StoredRecord:
    found = catalog.get(path)
    assert found is not None
    return found


def rows(storage: Storage, record: CaptionRecord) -> frozenset[IndexRow]:
    """Every row of the image in the index, by the table itself."""
    table = storage.account.table(f"{storage.name}index")
    entities, _ = table.page(["PartitionKey", "RowKey"], 1_000, None)
    found = (IndexRow(str(e["PartitionKey"]), str(e["RowKey"])) for e in entities)
    return frozenset(row for row in found if record.id in row.row and "note~" not in row.partition)


def remove(storage: Storage, path: str) -> None:
    """Drops the record and leaves its rows."""
    identity = record_id(path)
    storage.account.table(storage.name).delete(identity[:2], identity)


def test_an_empty_catalogue_is_one_empty_page(storage: Storage) -> None:
    assert storage.catalog.search(EVERYTHING, 10) == Page((), None)


def test_a_record_is_found_by_path_and_by_id(storage: Storage) -> None:
    record = short("a/b c#.jpg")
    made = storage.catalog.save(record, None)
    assert made.record == record
    assert storage.catalog.get(record.path) == made
    assert storage.catalog.get_by_id(record.id) == made
    assert storage.catalog.get("a/b") is None


def test_the_newest_comes_first_across_months_and_years(storage: Storage) -> None:
    for months in (3, 0, 14, 1, 2):
        storage.catalog.save(short(f"{months}.jpg", START - months * MONTH), None)
    expected = ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "14.jpg"]
    assert walk(storage.catalog, 100) == expected
    assert walk(storage.catalog, 2) == expected


def test_a_month_begins_in_utc_to_the_millisecond(storage: Storage) -> None:
    midnight = START.replace(month=12, day=1, hour=0)
    moments = {"new": midnight, "old": midnight - timedelta(milliseconds=1)}
    for path, moment in moments.items():
        storage.catalog.save(short(path, moment), None)
    assert walk(storage.catalog, 1) == ["new", "old"]


def test_images_of_the_same_second_are_all_listed(storage: Storage) -> None:
    for number in range(7):
        storage.catalog.save(short(f"{number}.jpg"), None)
    assert sorted(walk(storage.catalog, 2)) == [f"{number}.jpg" for number in range(7)]


@pytest.mark.parametrize("limit", [1, 4, 5, 6, 7, 20, 100])
def test_pages_hold_everything_once(storage: Storage, limit: int) -> None:
    expected = fill(storage.catalog, 20)
    assert walk(storage.catalog, limit) == expected


def test_pages_hold_what_stays_once_while_others_come_and_go(storage: Storage) -> None:
    expected = fill(storage.catalog, 20)
    gone = {"9.jpg", "3.jpg"}

    def change(page: int) -> None:
        storage.catalog.save(short(f"new-{page}.jpg", minutes(100 + page)), None)
        storage.catalog.save(short(f"old-{page}.jpg", START - MONTH - timedelta(page)), None)
        if page == 1:
            for path in gone:
                remove(storage, path)

    seen = walk(storage.catalog, 4, change)
    old = [path for path in seen if path.startswith("old")]
    assert [path for path in seen if path not in old] == [p for p in expected if p not in gone]
    assert len(set(old)) == len(old)


def test_a_new_upload_moves_the_image_and_leaves_no_second_row(storage: Storage) -> None:
    fill(storage.catalog, 3)
    newer = short("0.jpg", minutes(9))
    storage.catalog.save(newer, stored(storage.catalog, "0.jpg"))
    assert walk(storage.catalog, 2) == ["0.jpg", "2.jpg", "1.jpg"]
    assert rows(storage, newer) == rows_of(stored(storage.catalog, newer.path))


def test_a_new_upload_moves_the_image_from_month_to_month(storage: Storage) -> None:
    storage.catalog.save(short("a.jpg", START - MONTH), None)
    newer = short("a.jpg", START)
    storage.catalog.save(newer, stored(storage.catalog, "a.jpg"))
    assert walk(storage.catalog, 1) == ["a.jpg"]
    assert rows(storage, newer) == rows_of(stored(storage.catalog, newer.path))


def test_the_same_upload_saved_again_keeps_its_row(storage: Storage) -> None:
    record = short("a.jpg")
    storage.catalog.save(record, None)
    storage.catalog.save(replace(record, caption="Better."), stored(storage.catalog, "a.jpg"))
    assert [found.caption for found in storage.catalog.walk()] == ["Better."]
    assert rows(storage, record) == rows_of(stored(storage.catalog, "a.jpg"))


def test_a_row_whose_record_is_gone_is_not_shown(storage: Storage) -> None:
    fill(storage.catalog, 5)
    remove(storage, "2.jpg")
    assert walk(storage.catalog, 2) == ["4.jpg", "3.jpg", "1.jpg", "0.jpg"]


def test_a_row_whose_record_moved_on_is_not_shown(storage: Storage) -> None:
    fill(storage.catalog, 3)
    before = stored(storage.catalog, "1.jpg")
    storage.catalog.save(short("1.jpg", minutes(9)), before)
    storage.index.add(rows_of(before))
    assert walk(storage.catalog, 1) == ["1.jpg", "2.jpg", "0.jpg"]


def test_a_save_that_loses_leaves_the_winner_as_it_is(storage: Storage) -> None:
    storage.catalog.save(short("a.jpg", minutes(1)), None)
    with pytest.raises(RecordChanged):
        storage.catalog.save(short("a.jpg", minutes(0)), None)
    assert walk(storage.catalog, 5) == ["a.jpg"]
    [found] = storage.catalog.walk()
    assert found.image.modified == minutes(1)
    assert rows(storage, found) == rows_of(stored(storage.catalog, "a.jpg"))


def test_a_record_that_did_not_change_its_terms_writes_no_row(storage: Storage) -> None:
    made = storage.catalog.save(short("a.jpg"), None)
    catalog, sent = storage.recorded_catalog()
    again = catalog.save(replace(made.record, seconds=3.0), made)
    assert sent == ["PUT"]
    assert again.versions == made.versions


def test_a_removed_record_leaves_no_row(storage: Storage) -> None:
    made = storage.catalog.save(short("a.jpg"), None)
    storage.catalog.remove(made)
    assert storage.catalog.get("a.jpg") is None
    assert rows(storage, made.record) == frozenset()
    assert list(storage.index.notes()) == []


def test_another_version_is_not_removed(storage: Storage) -> None:
    made = storage.catalog.save(short("a.jpg"), None)
    newer = storage.catalog.save(short("a.jpg", caption="Newer."), made)
    with pytest.raises(RecordChanged):
        storage.catalog.remove(made)
    assert rows(storage, made.record) == rows_of(newer)
    assert list(storage.index.notes()) == []


def test_a_save_that_takes_too_long_is_given_up(storage: Storage) -> None:
    """Its rows may be taken for leftovers by then."""
    clock = Clock()
    index = Slow(storage.index, lambda: clock.advance(LATEST_COMMIT.total_seconds() + 1))
    catalog = Catalog(storage.records, index, now=clock)
    with closing(catalog), pytest.raises(StorageUnavailable):
        catalog.save(short("a.jpg"), None)
    assert storage.catalog.get("a.jpg") is None


class Slow:
    """An index in which time passes while rows are written."""

    def __init__(self, index: Any, passing: Callable[[], None]) -> None:
        self._index, self._passing = index, passing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    def add(self, rows: Any) -> None:
        self._index.add(rows)
        self._passing()
