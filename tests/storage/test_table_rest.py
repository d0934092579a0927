"""Entities over the wire: what is clear there is not asked again, and nothing else is believed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.data.tables import EdmType, EntityProperty
from hypothesis import given, settings
from hypothesis import strategies as st
from requests import PreparedRequest, Response

from captioning.errors import AuthRefused, RecordChanged, StorageUnavailable
from captioning.storage.accounts import TableAccount
from captioning.storage.authorization import Bearer
from captioning.storage.curl import LANE_WIDTH, Curl, Unclear
from captioning.storage.entities import NotPlain, decoded, encoded
from captioning.storage.sessions import ExactPathSession
from captioning.storage.table_rest import TableWire
from captioning.storage.tables import Table
from testing.harness.storage import Storage
from testing.services.server import Received, Reply, WireServer

MANY = 3 * LANE_WIDTH + 1


class Watched(ExactPathSession):
    """Counts what the SDK sends."""

    def __init__(self) -> None:
        super().__init__(pool=1)
        self.sent = 0

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        self.sent += 1
        return super().send(request, **options)


@pytest.fixture
def watched(storage: Storage) -> Iterator[tuple[Table, Watched]]:
    assert storage.account
    session = Watched()
    account = TableAccount(connection_string=storage.connection, session=session)
    yield account.table(storage.name), session
    account.close()


def entity(row: str, partition: str = "p", **properties: Any) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": row, **properties}


def account_at(server: WireServer) -> TableAccount:
    connection = f"AccountName=a;AccountKey=a2V5;TableEndpoint={server.url}/a"
    return TableAccount(connection_string=connection, retries=1)


def test_what_the_app_does_all_the_time_needs_no_sdk(watched: tuple[Table, Watched]) -> None:
    table, session = watched
    etag = table.put(entity("a", text="é'/🏖", part=0.5, whole=3.0, flag=False, number=-7), None)
    row = table.get("p", "a")
    assert row
    assert (row.entity["text"], row.entity["part"], row.entity["whole"]) == ("é'/🏖", 0.5, 3.0)
    assert (row.entity["flag"], row.entity["number"], row.etag) == (False, -7, etag)
    assert row.written.tzinfo
    assert table.put(entity("a"), etag) != etag
    for stale in (etag, None):
        with pytest.raises(RecordChanged):
            table.put(entity("a"), stale)
    with pytest.raises(RecordChanged):
        table.delete("p", "a", etag)
    table.upsert(entity("b"))
    assert [row["RowKey"] for row in table.first("p", "a", "b", 5, ["RowKey"])] == ["a"]
    table.delete("p", "a")
    assert table.get("p", "a") is None
    with pytest.raises(RecordChanged):
        table.put(entity("a"), etag)
    assert session.sent == 0


def test_many_are_written_and_removed_at_a_time(watched: tuple[Table, Watched]) -> None:
    table, session = watched
    rows = [entity(f"{number:03}'", f"it's {number}~1") for number in range(MANY)]
    keys = [(str(row["PartitionKey"]), str(row["RowKey"])) for row in rows]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(table.upsert_all, [rows] * 8)) == [[]] * 8
    assert all(table.get(*key) for key in keys)
    assert table.delete_all(keys) == []
    assert table.delete_all(keys) == []  # gone is gone
    assert not any(table.get(*key) for key in keys)
    assert session.sent == 0


def test_many_are_read_at_a_time_in_their_order(watched: tuple[Table, Watched]) -> None:
    table, session = watched
    etags = [table.put(entity(f"{number:03}", number=number), None) for number in range(MANY)]
    keys = [("p", f"{number:03}") for number in range(MANY)]
    found = table.get_all([*keys[::-1], ("p", "none"), keys[0]])
    numbers = [row.entity["number"] if row else None for row in found]
    assert numbers == [*range(MANY - 1, -1, -1), None, 0]
    assert [row.etag for row in found[:MANY] if row] == etags[::-1]
    assert session.sent == 0


def test_what_is_unclear_among_many_is_asked_again() -> None:
    """The first request is refused; whoever asks for its entity alone gets it."""
    refused: list[str] = []

    def answer(received: Received) -> Reply:
        if not refused:
            refused.append(received.path)
            return Reply(503, b"")
        body = {"RowKey": received.path[-3:-2], "Timestamp": "2026-11-22T10:00:00Z"}
        return Reply(200, body, {"ETag": "1"})

    with WireServer(answer) as server:
        account = account_at(server)
        found = account.table("captions").get_all([("p", "a"), ("p", "b"), ("p", "c")])
        account.close()
    assert [row.entity["RowKey"] for row in found if row] == ["a", "b", "c"]
    assert len(server.received) == 4


def test_what_was_not_taken_is_left(storage: Storage) -> None:
    """A row in five is refused: those, and only those, come back."""
    taken: list[str] = []
    lock = threading.Lock()

    def answer(received: Received) -> Reply:
        with lock:
            taken.append(received.path)
            return Reply(503 if len(taken) % 5 == 0 else 204, b"")

    with WireServer(answer) as server:
        account = account_at(server)
        rows = [entity(f"{number:03}") for number in range(MANY)]
        left = account.table("captions").upsert_all(rows)
        account.close()
    assert len(taken) == MANY
    refused = {path[-5:-2] for number, path in enumerate(taken, start=1) if number % 5 == 0}
    assert {str(row["RowKey"]) for row in left} == refused


def test_after_a_request_without_an_answer_no_other_is_begun() -> None:
    with WireServer(lambda _: Reply(reset=True)) as server:
        account = account_at(server)
        rows = [entity(str(number)) for number in range(MANY)]
        assert account.table("captions").upsert_all(rows) == rows
        assert len(server.received) < MANY
        account.close()


def test_a_page_that_the_service_cut_short_is_read_on() -> None:
    """https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination"""

    def answer(received: Received) -> Reply:
        if "NextPartitionKey" in dict(received.query):
            return Reply(200, {"value": [{"RowKey": "b"}]})
        headers = {"x-ms-continuation-NextPartitionKey": "p", "x-ms-continuation-NextRowKey": "b"}
        return Reply(200, {"value": [{"RowKey": "a"}]}, headers)

    with WireServer(answer) as server:
        account = account_at(server)
        found = account.table("captions").first("p", "", "~", 2, ["RowKey"])
        account.close()
    assert [row["RowKey"] for row in found] == ["a", "b"]


GARBLED: dict[str, Reply] = {
    "a page of a proxy": Reply(200, b"<html>"),
    "a list": Reply(200, b"[]"),
    "a 404 of a proxy": Reply(404, b"<html>"),
    "a conflict of another kind": Reply(409, {"odata.error": {"code": "TableBeingDeleted"}}),
}


@pytest.mark.parametrize("name", GARBLED)
def test_an_answer_that_is_not_the_services_is_not_believed(name: str) -> None:
    """The SDK is asked as well, and tells what is wrong."""
    with WireServer(lambda _: GARBLED[name]) as server:
        account = account_at(server)
        with pytest.raises((AzureError, StorageUnavailable, RecordChanged)):
            account.table("captions").put(entity("r"), "etag")
        assert [received.method for received in server.received] == ["PUT", "PUT"]
        account.close()


def test_a_token_goes_with_each_request() -> None:
    tokens = iter(["first", "second"])
    with WireServer(lambda _: Reply(204, b"")) as server:
        wire = TableWire(Curl(), server.url, "captions", Bearer(lambda: next(tokens)))
        for _ in range(2):
            wire.upsert(entity("r"))
        sent = [received.headers["authorization"] for received in server.received]
    assert sent == ["Bearer first", "Bearer second"]


def test_without_a_token_nothing_is_sent() -> None:
    def refused() -> str:
        raise AuthRefused("No token.")

    with WireServer(lambda _: Reply(204, b"")) as server:
        wire = TableWire(Curl(), server.url, "captions", Bearer(refused))
        with pytest.raises(Unclear):
            wire.upsert_all([entity("r")])
        assert not server.received


def test_a_signature_in_the_address_goes_with_each_request() -> None:
    with WireServer(lambda _: Reply(200, {"value": []})) as server:
        connection = f"SharedAccessSignature=sv=1&sig=a%2Bb;TableEndpoint={server.url}/a"
        account = TableAccount(connection_string=connection)
        assert account.table("captions").first("p", "", "~", 1, ["RowKey"]) == []
        account.close()
        (received,) = server.received
    assert ("sig", "a+b") in received.query
    assert "authorization" not in received.headers


@given(
    st.dictionaries(
        st.from_regex("[A-Za-z]{1,9}", fullmatch=True).filter(lambda name: name != "Timestamp"),
        st.text(st.characters(codec="utf-8"))
        | st.booleans()
        | st.integers(-(2**31), 2**31 - 1)
        | st.floats(allow_nan=False, allow_infinity=False),
    )
)
@settings(max_examples=50)
def test_an_entity_survives_its_encoding(properties: dict[str, Any]) -> None:
    assert decoded(json.loads(encoded(properties))) == properties


@pytest.mark.parametrize(
    "value",
    [2**31, float("nan"), b"x", None, "\ud800", EntityProperty("1", EdmType.GUID)],
    ids=["64 bits", "no number", "bytes", "nothing", "half a character", "an SDK's own"],
)
def test_what_is_not_plain_is_left_to_the_sdk(value: Any) -> None:
    with pytest.raises(NotPlain):
        encoded({"property": value})
    with pytest.raises(NotPlain):
        decoded({"n": "1", "n@odata.type": "Edm.Int64"})
