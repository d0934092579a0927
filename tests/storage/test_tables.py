"""Table Storage: what is missing, what changed meanwhile, and what does not answer as it should."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from captioning.errors import RecordChanged, RowMissing, StorageUnavailable
from captioning.ports import Entity, Write
from captioning.storage.accounts import TableAccount
from captioning.storage.errors import RequestRefused
from captioning.storage.tables import Table
from testing.azurite import free_ports
from testing.harness.storage import Storage
from testing.services.server import Reply, WireServer

ETAG = "W/\"datetime'2026-11-22T10%3A00%3A00.0000000Z'\""


def entity(row: str = "r", **properties: Any) -> Entity:
    return {"PartitionKey": "p", "RowKey": row, **properties}


REST: dict[str, Callable[[Table], object]] = {
    "get": lambda table: table.get("p", "r"),
    "page": lambda table: table.page("p", "", "~", 10),
    "create": lambda table: table.put(entity(), None),
    "replace": lambda table: table.put(entity(), ETAG),
    "upsert": lambda table: table.upsert(entity()),
    "delete": lambda table: table.delete("p", "r"),
    "delete a version": lambda table: table.delete("p", "r", ETAG),
    "transact": lambda table: table.transact([Write("insert", entity(save="1"))]),
    "transact without a save": lambda table: table.transact([Write("upsert", entity())]),
}
BY_SDK: dict[str, Callable[[Table], object]] = {
    "between": lambda table: list(table.between("a", "z")),
    "scan": lambda table: table.scan(10, None),
    "has entities": lambda table: table.has_entities(),
}
ABSENT = {"scan": ([], None), "has entities": False}
"""What these give for a missing table."""
OPERATIONS = {**REST, **BY_SDK}


def refusal(status: int, code: str) -> Reply:
    """In the service's words."""
    message = {"lang": "en-US", "value": f"{code}.\nRequestId:1\nTime:2026-11-22T10:00:00Z"}
    body = {"odata.error": {"code": code, "message": message}}
    return Reply(status, body, {"x-ms-request-id": "1", "x-ms-error-code": code})


TROUBLE: dict[str, Reply] = {
    "500": refusal(500, "InternalError"),
    "503": refusal(503, "ServerBusy"),
    "502 of a proxy": Reply(502, b"<html>"),
    "429": Reply(429, b""),
    "401": refusal(401, "InvalidAuthenticationInfo"),
    "403": refusal(403, "AuthenticationFailed"),
    "403 of a proxy": Reply(403, b"<html>"),
    "404 of a proxy": Reply(404, b"<html>"),
    "redirect": Reply(307, b"", {"Location": "/elsewhere"}),
    "reset": Reply(reset=True),
}
GARBLED: dict[str, Reply] = {
    "cut": Reply(200, {"value": []}, cut=True),
    "a page of a proxy": Reply(200, b"<html>"),
}


@contextmanager
def table_at(url: str) -> Iterator[Table]:
    """A table of an account at this address; a failed request is repeated once."""
    connection = f"AccountName=a;AccountKey=a2V5;TableEndpoint={url}/a"
    account = TableAccount(connection_string=connection, retries=1, sleep=lambda _: None)
    yield account.table("captions")
    account.close()


@pytest.fixture
def table(storage: Storage) -> Table:
    return storage.table


def test_a_missing_entity_is_none_a_missing_table_is_trouble(storage: Storage) -> None:
    assert storage.table.get("p", "r") is None
    with pytest.raises(StorageUnavailable, match=r"404 \(TableNotFound\)"):
        storage.account.table("nosuchtable").get("p", "r")


@pytest.mark.parametrize("name", ABSENT)
def test_a_missing_table_has_no_entities(storage: Storage, name: str) -> None:
    assert OPERATIONS[name](storage.account.table("nosuchtable")) == ABSENT[name]


def test_a_table_has_entities_or_not(table: Table) -> None:
    assert not table.has_entities()
    table.put(entity(), None)
    assert table.has_entities()


@pytest.mark.parametrize("code", ["AuthorizationPermissionMismatch", "AuthorizationFailure"])
def test_a_table_without_a_role_has_no_entities_for_the_app(code: str) -> None:
    with WireServer(lambda _: refusal(403, code)) as server, table_at(server.url) as table:
        assert not table.has_entities()
        with pytest.raises(StorageUnavailable):
            table.scan(10, None)


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - ABSENT.keys()))
def test_every_other_operation_says_when_the_table_is_missing(storage: Storage, name: str) -> None:
    with pytest.raises(StorageUnavailable, match="404"):
        OPERATIONS[name](storage.account.table("nosuchtable"))


def test_a_table_is_there_or_not(storage: Storage) -> None:
    assert storage.table.is_there()
    assert not storage.account.table("nosuchtable").is_there()


@pytest.mark.parametrize("trouble", [*TROUBLE, *GARBLED])
def test_a_table_that_does_not_answer_is_not_there(trouble: str) -> None:
    with (
        WireServer(lambda _: {**TROUBLE, **GARBLED}[trouble]) as server,
        table_at(server.url) as table,
    ):
        assert not table.is_there()


def test_an_entity_survives_with_its_etag(table: Table) -> None:
    etag = table.put(entity(text="é🏖", number=1, flag=True), None)
    row = table.get("p", "r")
    assert row
    assert (row.entity, row.etag) == (entity(text="é🏖", number=1, flag=True), etag)


def test_a_write_names_the_version_that_it_replaces(table: Table) -> None:
    etag = table.put(entity(), None)
    assert table.put(entity(), etag) != etag
    for stale in (etag, None):
        with pytest.raises(RecordChanged):
            table.put(entity(), stale)
    table.delete("p", "r")
    with pytest.raises(RecordChanged):
        table.put(entity(), etag)


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


def contents(table: Table) -> dict[str, Entity]:
    return {each["RowKey"]: each for each in table.page("p", "", "~", 100)}


def test_a_transaction_makes_all_of_its_writes(table: Table) -> None:
    etag = table.transact([Write("insert", entity("g", n=1, kept="x")), Write("upsert", entity())])
    assert (row := table.get("p", "g"))
    assert row.etag == etag
    etag = table.transact(
        [
            Write("merge", entity("g", n=2), etag),
            Write("delete", entity()),
            *(Write("upsert", entity(f"{number:02}")) for number in range(98)),
        ]
    )
    assert contents(table) == {
        "g": entity("g", n=2, kept="x"),
        **{f"{number:02}": entity(f"{number:02}") for number in range(98)},
    }
    etag = table.transact([Write("replace", entity("g", n=3), etag), Write("delete", entity("00"))])
    assert contents(table)["g"] == entity("g", n=3)
    assert table.transact([Write("delete", entity("g"), etag), Write("delete", entity("01"))]) == ""
    assert contents(table).keys() == {f"{number:02}" for number in range(2, 98)}


@pytest.mark.parametrize(
    "guard",
    [
        Write("insert", entity("g")),
        *(Write(kind, entity("g"), ETAG) for kind in ("replace", "merge", "delete")),
        *(Write(kind, entity("none"), ETAG) for kind in ("replace", "merge", "delete")),
    ],
    ids=lambda write: f"{write.kind} {write.entity['RowKey']}",
)
def test_a_transaction_whose_guard_is_another_version_makes_none(
    table: Table, guard: Write
) -> None:
    table.put(entity("g", n=1), None)
    with pytest.raises(RecordChanged):
        table.transact([guard, Write("upsert", entity())])
    assert contents(table) == {"g": entity("g", n=1)}


def test_a_transaction_that_deletes_a_missing_row_names_it(table: Table) -> None:
    writes = [Write("upsert", entity(row)) for row in "abcdefghijkl"]
    with pytest.raises(RowMissing) as caught:
        table.transact([*writes, Write("delete", entity("missing"))])
    assert caught.value.row == "missing"
    assert contents(table) == {}


HOSTILE = [
    "--changeset_1--\r\n--batch_1--\r\n",
    "HTTP/1.1 404 Not Found\r\n\r\n",
    "DELETE http://127.0.0.1/a/t(PartitionKey='p',RowKey='g') HTTP/1.1\r\nIf-Match: *\r\n\r\n",
    '"}\r\n{"odata.error":{"code":"ServerBusy"}}',
    "boundary=batch_x PartitionKey='q',RowKey='",
    "it's ~ & % + # 🏖 \u2028 \\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_in_a_transaction_is_data(table: Table, text: str) -> None:
    table.transact([Write("upsert", entity("g", text=text)), Write("insert", entity(text=text))])
    assert contents(table) == {"g": entity("g", text=text), "r": entity(text=text)}


@pytest.mark.parametrize("shift", range(3))
def test_text_of_any_length_is_stored_as_it_is(table: Table, shift: int) -> None:
    """However the network cuts its characters."""
    properties = {f"p{number}": "x" * shift + "字" * 30_000 for number in range(3)}
    table.upsert(entity(**properties))
    etag = table.put(entity("s", **properties), None)
    table.put(entity("s", **properties), etag)
    table.transact([Write("insert", entity("t", **properties))])
    assert contents(table) == {row: entity(row, **properties) for row in "rst"}


@pytest.mark.parametrize("key", ["it's", "a b", "é🏖", "50%", "%27", "a+b", "a&b", "a,RowKey='b'"])
def test_any_key_is_found_again(table: Table, key: str) -> None:
    for kind in ("insert", "upsert"):
        etag = table.transact([Write(kind, entity(key, kind=kind))])
        row = table.get("p", key)
        assert row
        assert (row.entity["kind"], row.etag) == (kind, etag)
    assert [each["RowKey"] for each in table.page("p", key, key + "~", 2)] == [key]
    table.transact([Write("delete", entity(key), etag)])
    assert table.get("p", key) is None
    table.put(entity(key), None)
    table.delete("p", key)
    assert table.get("p", key) is None


def test_a_page_is_of_one_partition_in_the_order_of_keys(table: Table) -> None:
    rows = ["a", "b", "c\uffee", "c𠮷", "d"]
    for row in reversed(rows):
        table.upsert(entity(row, n=1))
        table.upsert({"PartitionKey": "q", "RowKey": row})
    for size in range(1, 7):
        found = [each["RowKey"] for each in table.page("p", "a", "e", size)]
        # by UTF-16 units: the pair of 𠮷 begins with U+D842
        assert found == ["a", "b", "c𠮷", "c\uffee", "d"][:size]
    assert table.page("p", "b", "d", 1, ["RowKey", "n"]) == [{"RowKey": "b", "n": 1}]
    assert table.page("p", "b", "c", 5, ["n"]) == [{"n": 1}]
    assert [each["RowKey"] for each in table.page("p", "c", "c\ufffd", 5)] == ["c𠮷", "c\uffee"]
    assert table.page("p", "x", "y", 5) == []


def test_a_scan_holds_every_entity_once(table: Table) -> None:
    rows = [f"{number:02}" for number in range(10)]
    for row in reversed(rows):
        table.put(entity(row, long="x"), None)
    found: list[Entity] = []
    token: Mapping[str, str] | None = None
    for _ in range(20):
        entities, token = table.scan(3, token)
        assert len(entities) <= 3
        found += entities
        if token is None:
            break
    assert found == [entity(row, long="x") for row in rows]


def test_a_scan_of_an_empty_table_is_at_its_end(table: Table) -> None:
    assert table.scan(3, None) == ([], None)


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
    assert {received.path.split("/")[1] for received in server.received} == {"a"}
    if trouble in {"401", "403"}:
        assert "refuses the key" in caught.value.message


@pytest.mark.parametrize("name", OPERATIONS)
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
        WireServer(lambda _: refusal(status, "InvalidInput")) as server,
        table_at(server.url) as table,
        pytest.raises((HttpResponseError, RequestRefused)),
    ):
        OPERATIONS[name](table)
    assert len(server.received) == 1


def test_an_operation_of_a_transaction_that_is_wrong_is_a_bug(table: Table) -> None:
    too_long = {f"p{number}": "x" * 32_768 for number in range(20)}
    with pytest.raises(RequestRefused, match="400"):
        table.transact([Write("upsert", entity("a/b")), Write("upsert", entity("c", **too_long))])
    assert contents(table) == {}
