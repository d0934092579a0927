"""The catalogue on real tables: newest first, page by page, and never a row without its record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from captioning.domain.record import StoredRecord, Tag
from captioning.errors import RecordChanged
from captioning.ports import Entity, Write
from captioning.records.catalog import EVERYTHING, Catalog
from captioning.records.layout import PARTITIONS, Layout, copy_key, create, postings_of
from captioning.search import lanes
from captioning.search.dictionary import Dictionary
from captioning.search.places import BEGINNING, END, Page, place_of
from testing.factories.records import START, minutes, short
from testing.fakes.stores import MemoryTable
from testing.harness.catalog_rows import check_rows, rows_of
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
                storage.catalog.remove(stored(storage.catalog, path))

    seen = walk(storage.catalog, 4, change)
    old = [path for path in seen if path.startswith("old")]
    assert [path for path in seen if path not in old] == [p for p in expected if p not in gone]
    assert len(set(old)) == len(old)


def test_a_new_upload_moves_the_image_and_leaves_no_second_row(storage: Storage) -> None:
    fill(storage.catalog, 3)
    newer = short("0.jpg", minutes(9))
    storage.catalog.save(newer, stored(storage.catalog, "0.jpg"))
    assert walk(storage.catalog, 2) == ["0.jpg", "2.jpg", "1.jpg"]
    check_rows(storage.table)
    assert stored(storage.catalog, newer.path).rows == postings_of(newer)


def test_a_new_upload_moves_the_image_from_month_to_month(storage: Storage) -> None:
    storage.catalog.save(short("a.jpg", START - MONTH), None)
    newer = short("a.jpg", START)
    storage.catalog.save(newer, stored(storage.catalog, "a.jpg"))
    assert walk(storage.catalog, 1) == ["a.jpg"]
    check_rows(storage.table)
    assert stored(storage.catalog, newer.path).rows == postings_of(newer)


def test_the_same_upload_saved_again_keeps_its_row(storage: Storage) -> None:
    record = short("a.jpg")
    storage.catalog.save(record, None)
    storage.catalog.save(replace(record, caption="Better."), stored(storage.catalog, "a.jpg"))
    assert [found.caption for found in storage.catalog.walk()] == ["Better."]
    check_rows(storage.table)


def test_a_record_that_was_removed_is_not_shown(storage: Storage) -> None:
    fill(storage.catalog, 5)
    storage.catalog.remove(stored(storage.catalog, "2.jpg"))
    assert walk(storage.catalog, 2) == ["4.jpg", "3.jpg", "1.jpg", "0.jpg"]


def test_a_save_that_loses_leaves_the_winner_as_it_is(storage: Storage) -> None:
    storage.catalog.save(short("a.jpg", minutes(1)), None)
    with pytest.raises(RecordChanged):
        storage.catalog.save(short("a.jpg", minutes(0)), None)
    assert walk(storage.catalog, 5) == ["a.jpg"]
    [found] = storage.catalog.walk()
    assert found.image.modified == minutes(1)
    check_rows(storage.table)


def test_a_save_of_any_kind_is_one_request(storage: Storage) -> None:
    """A first one asks for the layout, too, and writes the words that the dictionary lacks."""
    fill(storage.catalog, 1)
    catalog, sent = storage.recorded_catalog()
    waiting = short("a.jpg", status="processing", caption=None)
    claimed = catalog.save(waiting, None)
    assert sorted(sent) == ["GET", "POST", "POST"]
    sent.clear()
    assert catalog.save(replace(waiting, seconds=1.0), claimed).rows == claimed.rows
    assert sent == ["POST"]
    sent.clear()
    words = " ".join(f"w{number}" for number in range(60))
    final = replace(waiting, status="captioned", caption=words)
    made = catalog.save(final, stored(storage.catalog, "a.jpg"))
    assert sent == ["POST", "POST"]
    sent.clear()
    catalog.save(replace(final, review="needed"), made)
    assert sent == ["POST"]


def test_the_newest_twenty_cost_a_request_for_each_partition(storage: Storage) -> None:
    expected = fill(storage.catalog, 60)
    catalog, sent = storage.recorded_catalog()
    assert catalog.is_there()
    sent.clear()
    page = catalog.search(EVERYTHING, 20)
    assert [record.path for record in page.records] == expected[:20]
    assert page.next
    assert len(sent) <= 5


def test_an_export_is_read_by_whole_pages_in_the_order_of_uploads(storage: Storage) -> None:
    expected = fill(storage.catalog, 150)
    catalog, sent = storage.recorded_catalog()
    assert catalog.is_there()
    sent.clear()
    assert [record.path for record in catalog.walk()] == expected
    assert sent == ["GET"] * PARTITIONS
    sent.clear()
    tagged = replace(EVERYTHING, since=minutes(10), until=minutes(20))
    assert [record.path for record in catalog.walk(tagged)] == expected[-20:-10]
    assert sent == ["GET"] * PARTITIONS


@pytest.mark.parametrize("pages", [1, 3])
def test_pages_of_a_partition_are_read_until_it_ends(
    monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    """Also where a table has one partition, and where one request gives less than is taken."""
    most = 20 // pages
    monkeypatch.setattr(lanes, "MOST_LISTED", most)
    table = MemoryTable()
    create(table, partitions=1)
    read = table.page

    def page(partition: str, start: str, end: str, size: int, *select: Any) -> list[Entity]:
        assert size <= most  # the service refuses to be asked for more
        return read(partition, start, end, size, *select)

    monkeypatch.setattr(table, "page", page)
    with closing(Catalog(table, Dictionary(MemoryTable()))) as catalog:
        expected = fill(catalog, 50)
        assert walk(catalog, 40) == expected
        assert [record.path for record in catalog.walk()] == expected
        assert catalog.paths(45, None)[0] == expected[:45]


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_paths_hold_every_record_once_though_records_come_and_go(
    storage: Storage, size: int
) -> None:
    expected = fill(storage.catalog, 12)
    found: list[str] = []
    position: str | None = None
    for number in range(100):
        some, position = storage.catalog.paths(size, position)
        assert len(some) <= size
        found += some
        if position is None:
            break
        storage.catalog.save(short(f"new-{number}.jpg", minutes(100 + number)), None)
        storage.catalog.remove(stored(storage.catalog, some[0]))
    assert found == expected
    assert storage.catalog.paths(5, END) == ([], None)


def test_a_record_that_cannot_be_read_has_a_path(storage: Storage) -> None:
    made = storage.catalog.save(short("a.jpg"), None)
    copy = {"PartitionKey": partition_of(storage, made), "RowKey": copy_key(place_of(made.record))}
    storage.table.transact([Write("upsert", {**copy, "kind": "copy", "path": "a.jpg"})])
    assert storage.catalog.paths(5, None) == (["a.jpg"], None)


def partition_of(storage: Storage, made: StoredRecord) -> str:
    return Layout(storage.table).partition_of(made.record.id)


def test_tags_that_images_have_are_listed_alphabetically(storage: Storage) -> None:
    tags = ("Dog", "dog house", "Dogge", "cat", "Ärmel", "dot", "a/b#?\\c")
    record = short("a.jpg", tags=tuple(Tag(name, 1.0) for name in tags))
    made = storage.catalog.save(record, None)
    everyone = ["a/b#?\\c", "Ärmel", "cat", "Dog", "dog house", "Dogge", "dot"]
    assert storage.catalog.tags("", 10) == everyone
    assert storage.catalog.tags("DOG", 2) == ["Dog", "dog house"]
    assert storage.catalog.tags("x", 2) == []
    fewer = replace(record, tags=tuple(tag for tag in record.tags if tag.name != "dog house"))
    made = storage.catalog.save(fewer, made)
    assert storage.catalog.tags("dog", 2) == ["Dog", "Dogge"]
    storage.catalog.remove(made)
    assert storage.catalog.tags("", 10) == []


def test_a_removed_record_leaves_no_row(storage: Storage) -> None:
    made = storage.catalog.save(short("a.jpg"), None)
    storage.catalog.remove(made)
    assert storage.catalog.get("a.jpg") is None
    assert rows_of(storage.table) == {}


def test_another_version_is_not_removed(storage: Storage) -> None:
    made = storage.catalog.save(short("a.jpg"), None)
    newer = storage.catalog.save(short("a.jpg", caption="Newer."), made)
    with pytest.raises(RecordChanged):
        storage.catalog.remove(made)
    assert storage.catalog.get("a.jpg") == newer
    check_rows(storage.table)
