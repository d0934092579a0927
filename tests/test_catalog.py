"""The catalogue on real tables: newest first, page by page, and never a row without its record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from captioning.catalog import Catalog
from captioning.errors import RecordChanged
from captioning.listing import IndexRow
from captioning.models import CaptionRecord, StoredRecord, record_id
from tests.records import START, minutes, short
from tests.storage_lab import Storage

MONTH = timedelta(days=31)


def walk(
    catalog: Catalog, limit: int, between: Callable[[int], None] = lambda _: None
) -> list[str]:
    """The paths on all pages; `between` is called with the number of each page after it."""
    paths: list[str] = []
    after: IndexRow | None = None
    for number in range(100):
        page = catalog.page(limit, after)
        assert len(page.records) <= limit
        paths += [record.path for record in page.records]
        between(number)
        after = page.last
        if after is None:
            return paths
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


def rows(storage: Storage, record: CaptionRecord) -> list[IndexRow]:
    return [row for row in storage.index.newest(None, 100) if row.record_id == record.id]


def remove(storage: Storage, path: str) -> None:
    """Drops the record and leaves its rows."""
    identity = record_id(path)
    storage.account.table(storage.name).delete(identity[:2], identity)


def test_an_empty_catalogue_is_one_empty_page(storage: Storage) -> None:
    page = storage.catalog.page(10)
    assert (page.records, page.last) == ((), None)


def test_a_record_is_found_by_path_and_by_id(storage: Storage) -> None:
    record = short("a/b c#.jpg")
    etag = storage.catalog.save(record, None)
    assert storage.catalog.get(record.path) == StoredRecord(record, etag)
    assert storage.catalog.get_by_id(record.id) == StoredRecord(record, etag)
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
    assert len(rows(storage, newer)) == 1


def test_a_new_upload_moves_the_image_from_month_to_month(storage: Storage) -> None:
    storage.catalog.save(short("a.jpg", START - MONTH), None)
    newer = short("a.jpg", START)
    storage.catalog.save(newer, stored(storage.catalog, "a.jpg"))
    assert walk(storage.catalog, 1) == ["a.jpg"]
    assert len(rows(storage, newer)) == 1


def test_the_same_upload_saved_again_keeps_its_row(storage: Storage) -> None:
    record = short("a.jpg")
    storage.catalog.save(record, None)
    storage.catalog.save(replace(record, caption="Better."), stored(storage.catalog, "a.jpg"))
    assert [found.caption for found in storage.catalog.page(5).records] == ["Better."]


def test_a_row_whose_record_is_gone_is_not_shown(storage: Storage) -> None:
    fill(storage.catalog, 5)
    remove(storage, "2.jpg")
    assert walk(storage.catalog, 2) == ["4.jpg", "3.jpg", "1.jpg", "0.jpg"]


def test_a_row_whose_record_moved_on_is_not_shown(storage: Storage) -> None:
    fill(storage.catalog, 3)
    moved = short("1.jpg", minutes(9))
    storage.index.add(storage.index.rows(moved))
    storage.records.put(moved, stored(storage.catalog, "1.jpg").etag)
    assert len(rows(storage, moved)) == 2
    assert walk(storage.catalog, 1) == ["1.jpg", "2.jpg", "0.jpg"]


def test_a_save_that_loses_leaves_the_winner_as_it_is(storage: Storage) -> None:
    storage.catalog.save(short("a.jpg", minutes(1)), None)
    with pytest.raises(RecordChanged):
        storage.catalog.save(short("a.jpg", minutes(0)), None)
    assert walk(storage.catalog, 5) == ["a.jpg"]
    assert storage.catalog.page(5).records[0].image.modified == minutes(1)


def test_a_page_costs_the_same_in_a_table_thirty_times_as_long(storage: Storage) -> None:
    costs = []
    fill(storage.catalog, 10)
    for extra in (0, 290):
        for number in range(extra):
            storage.index.add(storage.index.rows(short(f"x{number}.jpg", minutes(-1 - number))))
        catalog, sent = storage.recorded_catalog()
        assert len(catalog.page(5).records) == 5
        costs.append(len(sent))
    assert costs == [7, 7]  # the months, one page of rows, five records
