"""A crash at any line of a save: the catalogue shows what it showed before, or the new record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from captioning.domain.record import CaptionRecord, StoredRecord
from captioning.records.catalog import ABANDONED, Catalog
from captioning.search.query import parse
from captioning.search.rows import IndexRow, rows_of
from testing.factories.records import minutes, short
from testing.fakes.faults import Clock
from testing.harness.storage import Storage


class Crash(Exception):
    """The process ends here."""


class Crashing:
    """A part of the catalogue that ends the process at one of its methods, before it or after."""

    def __init__(self, part: Any, method: str, *, after: bool) -> None:
        self._part, self._method, self._after = part, method, after

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._part, name)
        return self._crash

    def _crash(self, *arguments: Any) -> None:
        if self._after:
            getattr(self._part, self._method)(*arguments)
        raise Crash


def crashes(storage: Storage) -> Iterator[tuple[Catalog, bool]]:
    """Catalogues that crash in a save, in the order of its lines; whether it was saved by then."""
    steps = ("announce", "add", "learn", "put", "remove", "withdraw")
    for method, saved in zip(steps, (False, False, False, True, True, True), strict=True):
        for after in (False, True):
            records: Any = storage.records
            index: Any = storage.index
            if method == "put":
                records = Crashing(records, method, after=after)
            else:
                index = Crashing(index, method, after=after)
            yield storage.catalog_of(records, index), saved and (method != "put" or after)


def listed(storage: Storage) -> list[CaptionRecord]:
    return list(storage.catalog.walk())


def test_a_first_save_is_shown_once_or_not_at_all(storage: Storage) -> None:
    shown: list[CaptionRecord] = []
    for number, (catalog, saved) in enumerate(crashes(storage)):
        record = short(f"{number}.jpg", minutes(number))
        with pytest.raises(Crash):
            catalog.save(record, None)
        shown = [record, *shown] if saved else shown
        assert listed(storage) == shown
        storage.catalog.save(record, storage.catalog.get(record.path))
        shown = [record, *shown] if not saved else shown
        assert listed(storage) == shown


def test_a_later_save_is_shown_or_the_one_before(storage: Storage) -> None:
    for number, (catalog, saved) in enumerate(crashes(storage)):
        path = f"{number}.jpg"
        old, new = short(path, minutes(number)), short(path, minutes(100 + number))
        storage.catalog.save(old, None)
        with pytest.raises(Crash):
            catalog.save(new, storage.catalog.get(path))
        assert [record for record in listed(storage) if record.path == path] == [
            new if saved else old
        ]
        storage.catalog.save(new, storage.catalog.get(path))
        assert [record for record in listed(storage) if record.path == path] == [new]


def test_a_late_removal_takes_nothing_from_a_newer_save(storage: Storage) -> None:
    """A says dog no more and is slow to remove the row; B, meanwhile, says dog again."""
    dog, cat = short("a.png", caption="A dog."), short("a.png", caption="A cat.")
    first = storage.catalog.save(dog, None)
    again: list[StoredRecord] = []

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(storage.index, name)

        def remove(self, rows: Any) -> None:
            again.append(storage.catalog.save(dog, storage.catalog.get("a.png")))
            storage.index.remove(rows)

    storage.catalog_of(storage.records, Slow()).save(cat, first)
    query = parse("dog ", [], ("en",))
    assert storage.catalog.search(query, 5).records == (again[0].record,)


def test_a_save_that_was_broken_off_is_settled_when_it_is_old(storage: Storage) -> None:
    clock = Clock()
    for number, (catalog, saved) in enumerate(crashes(storage)):
        with pytest.raises(Crash):
            catalog.save(short(f"{number}.png"), None)
        assert saved == (storage.catalog.get(f"{number}.png") is not None)
    late = Catalog(storage.records, storage.index, now=clock)
    with closing(late):
        clock.time = datetime.now(UTC) + ABANDONED - timedelta(minutes=1)
        assert late.settle() == 0
        clock.time += timedelta(minutes=2)
        assert late.settle() == 10  # all but the one before its note, and the one after all is done
        assert late.settle() == 0
    expected = {row for r in storage.catalog.walk() for row in rows_of(storage.catalog.get(r.path))}
    table = storage.account.table(f"{storage.name}index")
    entities, _ = table.page(["PartitionKey", "RowKey"], 1_000, None)
    rows = {IndexRow(str(e["PartitionKey"]), str(e["RowKey"])) for e in entities}
    assert {row for row in rows if "~" in row.partition} == expected
