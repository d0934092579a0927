"""The Table service over HTTP: how a request goes out, and which answers are believed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from captioning.errors import AuthRefused, RecordChanged, StorageUnavailable
from captioning.ports import Entity, Write
from captioning.storage.accounts import TableAccount
from captioning.storage.authorization import Bearer
from captioning.storage.curl import Curl
from captioning.storage.errors import RequestRefused
from captioning.storage.table_rest import MOST_ENTITIES, TableRest
from captioning.storage.transactions import parts, refusal
from testing.fakes.table_faults import RawServer
from testing.harness.storage import Storage
from testing.services.server import Received, Reply, WireServer

SERVICE = {"x-ms-request-id": "1"}


def entity(row: str, **properties: Any) -> Entity:
    return {"PartitionKey": "p", "RowKey": row, **properties}


@contextmanager
def rest_at(server: WireServer | RawServer, retries: int = 1) -> Iterator[TableRest]:
    curl = Curl(direct=True)
    yield TableRest(
        curl, server.url, "things", Bearer(lambda: "t"), retries=retries, sleep=lambda _: None
    )
    curl.close()


def by_number(*rows: str, token: dict[str, str] | None = None) -> Reply:
    """A page of the service."""
    headers = {f"x-ms-continuation-{name}": value for name, value in (token or {}).items()}
    return Reply(200, {"value": [entity(row) for row in rows]}, {**SERVICE, **headers})


def test_a_page_that_the_service_ends_early_is_read_on() -> None:
    """https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination"""
    pages = iter(
        [
            by_number("a", token={"NextPartitionKey": "1!p", "NextRowKey": "1!b"}),
            by_number(token={"NextPartitionKey": "1!p", "NextRowKey": "1!c"}),
            by_number("c", token={"NextPartitionKey": "1!q"}),
            by_number("d"),
        ]
    )
    with WireServer(lambda _: next(pages)) as server, rest_at(server) as rest:
        assert [each["RowKey"] for each in rest.page("p", "", "~", 9)] == ["a", "c", "d"]
        asked = [dict(received.query) for received in server.received]
    assert [one["$top"] for one in asked] == ["9", "8", "8", "7"]
    tokens = [(one.get("NextPartitionKey"), one.get("NextRowKey")) for one in asked]
    assert tokens == [(None, None), ("1!p", "1!b"), ("1!p", "1!c"), ("1!q", None)]


def test_no_more_entities_are_read_than_wanted() -> None:
    token = {"NextPartitionKey": "p", "NextRowKey": "c"}
    with (
        WireServer(lambda _: by_number("a", "b", token=token)) as server,
        rest_at(server) as rest,
    ):
        assert len(rest.page("p", "", "~", 2)) == 2
        assert len(server.received) == 1


def test_more_entities_than_a_page_takes_are_read_by_pages(storage: Storage) -> None:
    """The real service refuses a larger $top; Azurite does not."""
    rows = [entity(f"{number:04}") for number in range(MOST_ENTITIES + 5)]
    for first in range(0, len(rows), 100):
        storage.table.transact([Write("insert", row) for row in rows[first : first + 100]])
    assert storage.table.page("p", "", "~", 5_000) == rows
    with WireServer(lambda _: by_number("a")) as server, rest_at(server) as rest:
        rest.page("p", "", "~", 5_000)
        assert dict(server.received[0].query)["$top"] == str(MOST_ENTITIES)


FALSE_PAGES: dict[str, Callable[[], list[Reply]]] = {
    "another partition's": lambda: [Reply(200, {"value": [{**entity("b"), "PartitionKey": "q"}]})],
    "before the first key": lambda: [by_number("a")],
    "behind the last key": lambda: [by_number("y")],
    "at the last key": lambda: [by_number("x")],
    "more than asked for": lambda: [by_number("b", "c", "d", "e")],
    "in another order": lambda: [by_number("c", "b")],
    "one entity twice": lambda: [by_number("b", "b")],
    "no entities": lambda: [Reply(200, {"value": ["b"]})],
    "no keys": lambda: [Reply(200, {"value": [{"text": "b"}]})],
    "no list": lambda: [Reply(200, {"value": None})],
    "another table's": lambda: [
        Reply(200, {"odata.metadata": "http://s/$metadata#others", "value": []})
    ],
    "the same page again": lambda: [
        by_number("b", token={"NextPartitionKey": "p", "NextRowKey": "c"}),
        by_number("b"),
        by_number("b"),
    ],
    "the same token for ever": lambda: [
        by_number(token={"NextPartitionKey": "p", "NextRowKey": "c"}) for _ in range(3)
    ],
}


@pytest.mark.parametrize("name", FALSE_PAGES)
def test_a_page_of_another_query_is_not_believed(name: str) -> None:
    pages = FALSE_PAGES[name]()
    last = pages[-1]

    def answer(_: Received) -> Reply:
        page = pages.pop(0) if pages else last
        return Reply(200, page.body, {**SERVICE, **page.headers})

    with (
        WireServer(answer) as server,
        rest_at(server) as rest,
        pytest.raises(StorageUnavailable),
    ):
        rest.page("p", "b", "x", 3, ["RowKey"])


def read_reply(**changes: Any) -> Reply:
    body = {**entity("r"), "Timestamp": "2026-11-22T10:00:00Z", **changes}
    return Reply(200, body, {**SERVICE, "ETag": "e"})


def test_an_entity_is_believed_that_is_the_one() -> None:
    metadata = {"odata.metadata": "https://s/$metadata#Things/@Element"}
    with WireServer(lambda _: read_reply(**metadata)) as server, rest_at(server) as rest:
        assert (row := rest.get("p", "r"))
        assert (row.entity, row.etag) == (entity("r"), "e")


@pytest.mark.parametrize(
    "changes",
    [
        {"RowKey": "s"},
        {"PartitionKey": "q"},
        {"Timestamp": "yesterday"},
        {"Timestamp": None},
        {"odata.metadata": "https://s/$metadata#others/@Element"},
    ],
)
def test_an_entity_that_is_another_is_not_believed(changes: dict[str, Any]) -> None:
    with (
        WireServer(lambda _: read_reply(**changes)) as server,
        rest_at(server) as rest,
        pytest.raises(StorageUnavailable),
    ):
        rest.get("p", "r")


def test_an_answer_to_another_request_is_not_believed() -> None:
    """As when answers on a kept connection are one behind: each is that to the request before."""

    def reply(name: str) -> Reply:
        return Reply(204, b"", {**SERVICE, "x-ms-client-request-id": name})

    names: list[str] = ["another"]

    def answer(received: Received) -> Reply:
        names.append(received.headers["x-ms-client-request-id"])
        return reply(names[-2])

    with WireServer(answer) as server, rest_at(server) as rest:
        with pytest.raises(StorageUnavailable, match="another request"):
            rest.upsert(entity("r"))
        assert len(server.received) == 2
    with (
        WireServer(lambda it: reply(it.headers["x-ms-client-request-id"])) as server,
        rest_at(server) as rest,
    ):
        rest.upsert(entity("r"))


def test_a_second_answer_on_a_connection_is_not_believed() -> None:
    """Somebody has sent two answers at once: the second is there before it is asked for."""
    head = b"HTTP/1.1 %b x\r\nx-ms-request-id: 1\r\nETag: e\r\n"
    body = json.dumps({**entity("r"), "Timestamp": "2026-11-22T10:00:00Z"}).encode()
    found = head % b"200" + b"Content-Length: %d\r\n\r\n" % len(body) + body
    error = b'{"odata.error":{"code":"ResourceNotFound"}}'
    missing = head % b"404" + b"Content-Length: %d\r\n\r\n" % len(error) + error
    with RawServer([[found + missing], [found]]) as server, rest_at(server) as rest:
        assert rest.get("p", "r")
        assert rest.get("p", "r")


@pytest.mark.parametrize("place", ["(PartitionKey='p',RowKey='s')", "(PartitionKey='p',RowKey='')"])
def test_an_insert_of_another_entity_is_not_believed(place: str) -> None:
    headers = {**SERVICE, "ETag": "e", "Location": f"http://s/a/things{place}"}
    with (
        WireServer(lambda _: Reply(204, b"", headers)) as server,
        rest_at(server) as rest,
        pytest.raises(StorageUnavailable),
    ):
        rest.put(entity("r"), None)


@pytest.mark.parametrize(
    "place", ["(PartitionKey='p',RowKey='it''s%20%7E')", "(PartitionKey='p',RowKey='it's ~')"]
)
def test_an_insert_is_believed_however_its_place_is_written(place: str) -> None:
    headers = {**SERVICE, "ETag": "e", "Location": f"http://s/a/things{place}"}
    with WireServer(lambda _: Reply(204, b"", headers)) as server, rest_at(server) as rest:
        assert rest.put(entity("it's ~"), None) == "e"


def error(status: int, code: str, number: str = "0") -> bytes:
    body = {"odata.error": {"code": code, "message": {"value": f"{number}:Some text."}}}
    lines = [
        "--batchresponse_1",
        "",
        f"HTTP/1.1 {status} x",
        "Content-Type: application/json",
        "",
        json.dumps(body),
        "--batchresponse_1--",
    ]
    return "\r\n".join(lines).encode()


MADE = "--b\r\n\r\nHTTP/1.1 204 No Content\r\nETag: {}\r\n\r\n"
WRITES = [Write("replace", entity("g", save="1"), "old"), Write("delete", entity("x"))]


@pytest.mark.parametrize(
    ("body", "raised"),
    [
        (error(412, "UpdateConditionNotSatisfied"), RecordChanged),
        (error(413, "RequestBodyTooLarge"), RequestRefused),
        (error(400, "InvalidInput", "1"), RequestRefused),
        (error(404, "TableNotFound"), StorageUnavailable),
        (error(503, "ServerBusy"), StorageUnavailable),
        (error(412, "UpdateConditionNotSatisfied", "7"), StorageUnavailable),
        (error(412, "UpdateConditionNotSatisfied", "-1"), StorageUnavailable),
        (error(412, "UpdateConditionNotSatisfied", "x"), StorageUnavailable),
        (error(412, "Whatever"), StorageUnavailable),
        (error(200, "UpdateConditionNotSatisfied"), StorageUnavailable),
        (b"", StorageUnavailable),
        (b"HTTP/1.1 ", StorageUnavailable),
        (MADE.format("e").encode(), StorageUnavailable),
        (MADE.format("e").encode() * 3, StorageUnavailable),
        (
            (MADE.replace("ETag: {}", "") + MADE.format("second")).encode(),
            StorageUnavailable,
        ),
        (error(412, "UpdateConditionNotSatisfied") * 2, StorageUnavailable),
    ],
)
def test_of_an_answer_to_a_transaction_the_form_is_looked_at(
    body: bytes, raised: type[Exception]
) -> None:
    def answer(received: Received) -> Reply:
        if received.method == "GET":  # the guard, as another save has left it
            return read_reply(RowKey="g", save="0")
        return Reply(202, body, SERVICE)

    with WireServer(answer) as server, rest_at(server) as rest, pytest.raises(raised):
        rest.transact(WRITES)


def test_a_transaction_gives_the_etag_of_its_first_write() -> None:
    body = (MADE.format("first") + MADE.format("second")).encode()
    with WireServer(lambda _: Reply(202, body, SERVICE)) as server, rest_at(server) as rest:
        assert rest.transact(WRITES) == "first"


def test_the_parts_of_an_answer_are_read_with_either_line_end() -> None:
    for body in (error(404, "ResourceNotFound", "12"), error(404, "ResourceNotFound", "12")):
        for text in (body, body.replace(b"\r\n", b"\n")):
            (part,) = parts(text)
            assert (part.status, part.headers) == (404, {"content-type": "application/json"})
            found = refusal([part])
            assert (found.number, found.status, found.code) == (12, 404, "ResourceNotFound")


@pytest.mark.parametrize("kind", ["insert", "delete"])
def test_a_transaction_that_libcurl_repeats_is_known_as_ones_own(kind: str) -> None:
    """libcurl sends a request again by itself where a kept connection breaks: the answer is that
    to the second, which the first has made refuse."""
    busy = error(409, "EntityAlreadyExists") if kind == "insert" else error(404, "ResourceNotFound")
    guard = entity("g", save="1")

    def response(status: int, body: bytes) -> bytes:
        head = f"HTTP/1.1 {status} x\r\nx-ms-request-id: 1\r\nETag: e\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    there = json.dumps({**guard, "Timestamp": "2026-11-22T10:00:00Z"}).encode()
    gone = json.dumps({"odata.error": {"code": "ResourceNotFound"}}).encode()
    after = response(200, there) if kind == "insert" else response(404, gone)
    first = response(404, gone)
    with (
        RawServer([[first, b""], [response(202, busy), after]]) as server,
        rest_at(server, retries=0) as rest,
    ):
        assert rest.get("p", "g") is None
        write = Write(kind, guard, "e" if kind == "delete" else None)  # type: ignore[arg-type]
        assert rest.transact([write]) == ("e" if kind == "insert" else "")
        assert server.requests == 4


def test_a_token_goes_with_each_request() -> None:
    tokens = iter(["first", "second"])
    with WireServer(lambda _: Reply(204, b"", SERVICE)) as server:
        rest = TableRest(Curl(), server.url, "things", Bearer(lambda: next(tokens)))
        for _ in range(2):
            rest.upsert(entity("r"))
        sent = [received.headers["authorization"] for received in server.received]
    assert sent == ["Bearer first", "Bearer second"]


def test_without_a_token_nothing_is_sent_and_the_reason_is_given() -> None:
    def refused() -> str:
        raise AuthRefused("The identity has no token.")

    with WireServer(lambda _: Reply(204, b"", SERVICE)) as server:
        rest = TableRest(Curl(), server.url, "things", Bearer(refused))
        with pytest.raises(StorageUnavailable, match="no token"):
            rest.upsert(entity("r"))
        assert not server.received


def test_a_signature_in_the_address_goes_with_each_request() -> None:
    with WireServer(lambda _: by_number()) as server:
        connection = f"SharedAccessSignature=sv=1&sig=a%2Bb;TableEndpoint={server.url}/a"
        account = TableAccount(connection_string=connection)
        assert account.table("things").page("p", "", "~", 1, ["RowKey"]) == []
        account.close()
        (received,) = server.received
    assert ("sig", "a+b") in received.query
    assert "authorization" not in received.headers
