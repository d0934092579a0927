"""A partition that is busy slows only what goes there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest

from captioning.errors import StorageUnavailable
from captioning.records.catalog import Catalog
from captioning.records.layout import Layout
from captioning.search.query import Query
from captioning.storage.accounts import TableAccount
from testing.factories.records import minutes, short
from testing.fakes.table_faults import Request, TableFaults, refused
from testing.harness.storage import Storage


class Busy:
    """The service answers 503 for one partition, the first so many times or for ever."""

    def __init__(self, partition: str, times: int | None = None) -> None:
        self._mark = f"PartitionKey='{partition}'", f"PartitionKey eq '{partition}'"
        self._times = times
        self.answered = 0

    def __call__(self, proxy: TableFaults, request: Request) -> bytes | None:
        said = unquote(request.path) + request.body.decode()
        is_meant = any(mark in said for mark in self._mark)
        if not is_meant or (self._times is not None and self.answered >= self._times):
            return proxy.ask(request).wire()
        self.answered += 1
        return refused(503, "ServerBusy")(proxy, request)


@pytest.fixture
def faults(azurite: str) -> Iterator[TableFaults]:
    with TableFaults(azurite) as proxy:
        yield proxy


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def catalog(storage: Storage, faults: TableFaults, pauses: list[float]) -> Iterator[Catalog]:
    """The catalogue through the proxy; nothing is slept."""
    with ExitStack() as stack:
        account = TableAccount(connection_string=faults.connection_string, sleep=pauses.append)
        stack.callback(account.close)
        assert storage.account
        yield storage.catalog_over(account.table(f"{storage.name}catalog"))


def by_partition(storage: Storage) -> dict[str, list[Any]]:
    """Two records for each partition."""
    layout, found = Layout(storage.table), dict[str, list[Any]]()
    for number in range(60):
        record = short(f"{number}.jpg", minutes(number))
        found.setdefault(layout.partition_of(record.id), []).append(record)
    return {partition: records[:2] for partition, records in found.items()}


def test_saves_elsewhere_go_through(
    storage: Storage, catalog: Catalog, faults: TableFaults, pauses: list[float]
) -> None:
    records = by_partition(storage)
    assert len(records) == 4
    faults.always = Busy("0")
    with pytest.raises(StorageUnavailable, match="ServerBusy"):
        catalog.save(records["0"][0], None)
    assert len(pauses) == 2
    pauses.clear()
    for partition in "123":
        for record in records[partition]:
            stored = catalog.save(record, None)
            catalog.save(replace(record, caption="Another."), stored)
            assert catalog.get(record.path)
    assert pauses == []
    faults.always = None
    assert storage.catalog.get(records["0"][0].path) is None
    catalog.save(records["0"][0], None)


def test_a_search_says_that_a_partition_is_missing_until_it_is_back(
    storage: Storage, catalog: Catalog, faults: TableFaults
) -> None:
    """Never less than there is: a page without a partition's records would be wrong."""
    paths = set()
    for records in by_partition(storage).values():
        for record in records:
            catalog.save(record, None)
            paths.add(record.path)
    faults.always = Busy("2")
    with pytest.raises(StorageUnavailable, match="ServerBusy"):
        catalog.search(Query(), 20)
    faults.always = busy = Busy("2", times=2)
    assert {record.path for record in catalog.search(Query(), 20).records} == paths
    assert busy.answered == 2
