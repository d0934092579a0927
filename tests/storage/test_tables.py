"""Table Storage: what is missing, what changed meanwhile, and what does not answer as it should."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from captioning.errors import RecordChanged, StorageUnavailable
from captioning.storage.accounts import TableAccount
from captioning.storage.curl import Answered, Asked, Curl
from captioning.storage.tables import Table
from testing.azurite import free_ports
from testing.harness.storage import Storage
from testing.services.server import Reply, WireServer

ETAG = "W/\"datetime'2026-11-22T10%3A00%3A00.0000000Z'\""

OPERATIONS: dict[str, Callable[[Table], object]] = {
    "get": lambda table: table.get("p", "r"),
    "create": lambda table: table.put(entity(), None),
    "replace": lambda table: table.put(entity(), ETAG),
    "upsert": lambda table: table.upsert(entity()),
    "delete": lambda table: table.delete("p", "r"),
    "delete a version": lambda table: table.delete("p", "r", ETAG),
    "query": lambda table: list(table.query("PartitionKey eq @p", {"p": "p"}, ["RowKey"])),
    "page": lambda table: table.page(["RowKey"], 10, None),
}


def refusal(status: int, code: str) -> Reply:
    """In the service's words."""
    message = {"lang": "en-US", "value": f"{code}.\nRequestId:1\nTime:2026-11-22T10:00:00Z"}
    return Reply(status, {"odata.error": {"code": code, "message": message}})


TROUBLE = {
    "500": refusal(500, "InternalError"),
    "503": refusal(503, "ServerBusy"),
    "502 of a proxy": Reply(502, b"<html>"),
    "429": Reply(429, b""),
    "401": refusal(401, "InvalidAuthenticationInfo"),
    "403": refusal(403, "AuthorizationFailure"),
    "reset": Reply(reset=True),
}
GARBLED = {"cut": Reply(200, {"value": []}, cut=True), "a page of a proxy": Reply(200, b"<html>")}


class LossyCurl(Curl):
    """Does what it is asked, once without telling."""

    def __init__(self, answer: int | None) -> None:
        super().__init__(direct=True)
        self._answer = answer
        self._is_first = True

    def send(self, asked: Asked) -> Answered | None:
        answered = super().send(asked)
        if self._is_first:
            self._is_first = False
            return Answered(self._answer, b"", {}) if self._answer else None
        return answered


def entity(row: str = "r", **properties: Any) -> dict[str, Any]:
    return {"PartitionKey": "p", "RowKey": row, **properties}


@contextmanager
def table_at(url: str) -> Iterator[Table]:
    """A table of an account at this address, asked once an operation."""
    connection = f"AccountName=a;AccountKey=a2V5;TableEndpoint={url}/a"
    account = TableAccount(connection_string=connection, retries=1)
    yield account.table("captions")
    account.close()


@pytest.fixture
def table(storage: Storage) -> Table:
    return storage.account.table(storage.name)


@pytest.fixture
def lossy(storage: Storage) -> Iterator[Callable[[int | None], Table]]:
    """Makes the table again, over a connection that loses the answer to its first request: it
    breaks (None), or something between says 500."""
    with ExitStack() as stack:

        def made(answer: int | None) -> Table:
            curl = LossyCurl(answer)
            account = TableAccount(connection_string=storage.connection, curl=curl)
            stack.callback(account.close)
            return account.table(storage.name)

        yield made


def test_a_missing_entity_is_none_a_missing_table_is_trouble(storage: Storage) -> None:
    assert storage.account.table(storage.name).get("p", "r") is None
    with pytest.raises(StorageUnavailable, match="404"):
        storage.account.table("nosuchtable").get("p", "r")


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "delete" not in name])
def test_every_operation_says_when_the_table_is_missing(storage: Storage, name: str) -> None:
    with pytest.raises(StorageUnavailable):
        OPERATIONS[name](storage.account.table("nosuchtable"))


def test_an_entity_survives_with_its_etag(table: Table) -> None:
    etag = table.put(entity(text="é🏖", number=1, flag=True), None)
    row = table.get("p", "r")
    assert row
    assert (row.entity, row.etag) == (entity(text="é🏖", number=1, flag=True), etag)


def test_an_upsert_writes_over_whatever_is_there(table: Table) -> None:
    etag = table.put(entity(old=1), None)
    table.upsert(entity(new=2))
    row = table.get("p", "r")
    assert row
    assert row.entity == entity(new=2)
    assert row.etag != etag


def test_a_delete_without_a_version_takes_any_and_may_find_none(table: Table) -> None:
    table.put(entity(), None)
    for _ in range(2):
        table.delete("p", "r")
    assert table.get("p", "r") is None


def test_a_delete_with_a_version_takes_that_one_only(table: Table) -> None:
    old = table.put(entity(), None)
    new = table.put(entity(), old)
    with pytest.raises(RecordChanged):
        table.delete("p", "r", old)
    assert table.get("p", "r")
    for _ in range(2):
        table.delete("p", "r", new)
    assert table.get("p", "r") is None


def test_pages_hold_every_entity_once_in_the_order_of_keys(table: Table) -> None:
    rows = [f"{number:02}" for number in range(10)]
    for row in reversed(rows):
        table.put(entity(row, long="x"), None)
    found: list[dict[str, Any]] = []
    token: Mapping[str, str] | None = None
    for _ in range(20):
        entities, token = table.page(["RowKey"], 3, token)
        assert len(entities) <= 3
        found += entities
        if token is None:
            break
    assert found == [{"RowKey": row} for row in rows]


def test_a_page_of_an_empty_table_is_the_last(table: Table) -> None:
    assert table.page(["RowKey"], 3, None) == ([], None)


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_of_storage_is_ours_to_wait_for(name: str, trouble: str) -> None:
    with (
        WireServer(lambda _: TROUBLE[trouble]) as server,
        table_at(server.url) as table,
        pytest.raises(StorageUnavailable) as caught,
    ):
        OPERATIONS[name](table)
    assert server.url not in caught.value.message


@pytest.mark.parametrize("name", ["get", "query", "page"])
@pytest.mark.parametrize("trouble", GARBLED)
def test_an_answer_that_cannot_be_read_is_trouble(name: str, trouble: str) -> None:
    with (
        WireServer(lambda _: GARBLED[trouble]) as server,
        table_at(server.url) as table,
        pytest.raises(StorageUnavailable),
    ):
        OPERATIONS[name](table)


@pytest.mark.parametrize("name", OPERATIONS)
def test_storage_that_is_not_there_is_trouble(name: str) -> None:
    with (
        table_at(f"http://127.0.0.1:{free_ports(1)[0]}") as table,
        pytest.raises(StorageUnavailable, match="make run"),
    ):
        OPERATIONS[name](table)


@pytest.mark.parametrize("status", [400, 413])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_that_is_wrong_is_a_bug_and_not_waited_for(name: str, status: int) -> None:
    with (
        WireServer(lambda _: Reply(status, b"")) as server,
        table_at(server.url) as table,
        pytest.raises(HttpResponseError),
    ):
        OPERATIONS[name](table)


@pytest.mark.parametrize("answer", [None, 500])
def test_a_create_whose_answer_was_lost_finds_itself(
    lossy: Callable[[int | None], Table], table: Table, answer: int | None
) -> None:
    """The client tries again by itself: whoever gets RecordChanged has to look whose it is."""
    with pytest.raises(RecordChanged):
        lossy(answer).put(entity(ours=True), None)
    row = table.get("p", "r")
    assert row
    assert row.entity["ours"]


@pytest.mark.parametrize("answer", [None, 500])
def test_a_replacement_whose_answer_was_lost_finds_itself(
    lossy: Callable[[int | None], Table], table: Table, answer: int | None
) -> None:
    etag = table.put(entity(), None)
    with pytest.raises(RecordChanged):
        lossy(answer).put(entity(ours=True), etag)
    row = table.get("p", "r")
    assert row
    assert row.entity["ours"]


@pytest.mark.parametrize("answer", [None, 500])
def test_a_delete_whose_answer_was_lost_is_done(
    lossy: Callable[[int | None], Table], table: Table, answer: int | None
) -> None:
    etag = table.put(entity(), None)
    lossy(answer).delete("p", "r", etag)
    assert table.get("p", "r") is None
