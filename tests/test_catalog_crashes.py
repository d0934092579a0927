"""A crash at any line of a save: the catalogue shows what it showed before, or the new record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from captioning.catalog import Catalog
from captioning.models import CaptionRecord
from tests.records import minutes, short
from tests.storage_lab import Storage


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
    for method, saved in (("add", False), ("put", True), ("remove", True)):
        for after in (False, True):
            records: Any = storage.records
            index: Any = storage.index
            if method == "put":
                records = Crashing(records, method, after=after)
            else:
                index = Crashing(index, method, after=after)
            yield storage.catalog_of(records, index), saved and (method != "put" or after)


def listed(storage: Storage) -> list[CaptionRecord]:
    return list(storage.catalog.page(50).records)


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
