"""Every operation with every fault between app and Table service: nothing is believed that is not
so, and whatever failed can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from captioning.errors import RecordChanged, StorageUnavailable
from captioning.ports import Entity, Write
from captioning.storage.accounts import TableAccount
from captioning.storage.tables import Table
from testing.fakes.table_faults import (
    Fault,
    Request,
    TableFaults,
    busy_within,
    closed,
    cut,
    cut_without_length,
    etag_missing,
    foreign,
    garbled,
    other_entity,
    other_request,
    other_request_after,
    other_table,
    parts_missing,
    refused,
    refused_after,
    reset,
)

Content = dict[str, Entity]


def entity(row: str, **properties: Any) -> Entity:
    return {"PartitionKey": "p", "RowKey": row, **properties}


BEFORE = {
    row: entity(row, save="before", text=row)
    for row in ("other-guard", "other-x", "other-y", "own-guard", "own-x", "own-y")
}
NEW = entity("own-guard", save="after", text="new")


@dataclass(frozen=True)
class Operation:
    """A write: what the table contains after it where it contained BEFORE, and its rows."""

    act: Callable[[Table, str | None], object]
    after: dict[str, Entity | None]
    begins_without_guard: bool = False


def transaction(*writes: Callable[[str | None], Write]) -> Callable[[Table, str | None], object]:
    return lambda table, etag: table.transact([write(etag) for write in writes])


def guard(kind: Any) -> Callable[[str | None], Write]:
    """The first write, on condition of the ETag where there is one."""
    return lambda etag: Write("insert" if kind != "delete" and not etag else kind, NEW, etag)


def upsert(row: str) -> Callable[[str | None], Write]:
    return lambda _: Write("upsert", entity(row, text="new"))


def delete(row: str) -> Callable[[str | None], Write]:
    return lambda _: Write("delete", entity(row))


X, Y = entity("own-x", text="new"), entity("own-y", text="new")
WRITES = {
    "insert": Operation(lambda table, etag: table.put(NEW, etag), {"own-guard": NEW}, True),
    "replace": Operation(lambda table, etag: table.put(NEW, etag), {"own-guard": NEW}),
    "upsert": Operation(lambda table, _: table.upsert(NEW), {"own-guard": NEW}),
    "delete": Operation(lambda table, _: table.delete("p", "own-guard"), {"own-guard": None}),
    "delete a version": Operation(
        lambda table, etag: table.delete("p", "own-guard", etag), {"own-guard": None}
    ),
    "transaction that creates": Operation(
        transaction(guard("insert"), upsert("own-x"), upsert("own-y")),
        {"own-guard": NEW, "own-x": X, "own-y": Y},
        True,
    ),
    "transaction that replaces": Operation(
        transaction(guard("replace"), upsert("own-x"), delete("own-y")),
        {"own-guard": NEW, "own-x": X, "own-y": None},
    ),
    "transaction that merges": Operation(
        transaction(guard("merge"), upsert("own-x")), {"own-guard": NEW, "own-x": X}
    ),
    "transaction that deletes": Operation(
        transaction(guard("delete"), delete("own-x"), delete("own-y")),
        {"own-guard": None, "own-x": None, "own-y": None},
    ),
    "transaction without a condition": Operation(
        transaction(upsert("own-x"), upsert("own-y")), {"own-x": X, "own-y": Y}
    ),
}
READS: dict[str, Callable[[Table], object]] = {
    "get": lambda table: table.get("p", "own-x"),
    "get what is missing": lambda table: table.get("p", "own-missing"),
    "page": lambda table: table.page("p", "own", "own~", 10),
    "page of keys": lambda table: table.page("p", "own", "own~", 2, ["RowKey"]),
}
FAULTS: dict[str, Fault] = {
    "reset before": reset(after=False),
    "reset after": reset(after=True),
    "closed after": closed,
    "cut": cut,
    "cut without a length": cut_without_length,
    "garbled": garbled,
    "redirected": foreign(307),
    "redirected after": foreign(302, after=True),
    "page of a portal": foreign(200),
    "page of a portal after": foreign(200, after=True),
    "204 of a proxy": foreign(204, b""),
    "202 of a proxy": foreign(202),
    "404 of a proxy": foreign(404),
    "404 of a proxy in JSON": foreign(404, b'{"odata.error":{"code":"ResourceNotFound"}}'),
    "409 of a proxy": foreign(409, b'{"odata.error":{"code":"EntityAlreadyExists"}}'),
    "412 of a proxy": foreign(412, b'{"odata.error":{"code":"UpdateConditionNotSatisfied"}}'),
    "413 of a proxy": foreign(413),
    "502 of a proxy": foreign(502),
    "500": refused(500, "InternalError"),
    "500 after": refused_after(500, "InternalError"),
    "503": refused(503, "ServerBusy"),
    "503 after": refused_after(503, "ServerBusy"),
    "504 after": refused_after(504, "GatewayTimeout"),
    "429": refused(429, "TooManyRequests"),
    "answer to another request": other_request,
    "answer to another request after": other_request_after,
    "ETag missing": etag_missing,
}
FAULTS_OF_TRANSACTIONS: dict[str, Fault] = {
    "part missing": parts_missing,
    "503 within": busy_within,
}
FAULTS_OF_READS: dict[str, Fault] = {"another entity's": other_entity}


def cases(operations: Any, more: dict[str, Fault]) -> Iterator[Any]:
    for operation in operations:
        own = FAULTS_OF_TRANSACTIONS if operation.startswith("transaction") else more
        for name, fault in {**FAULTS, **own}.items():
            for always in (False, True):
                often = "always" if always else "once"
                yield pytest.param(operation, fault, always, id=f"{operation}-{name}-{often}")


@pytest.fixture(scope="module")
def account(azurite: str) -> Iterator[TableAccount]:
    account = TableAccount(connection_string=azurite)
    for name in ("tfaults", "tfaultstwin"):
        account.create(name)
    yield account
    account.close()


@pytest.fixture(scope="module")
def faults(azurite: str) -> Iterator[TableFaults]:
    with TableFaults(azurite) as proxy:
        yield proxy


@pytest.fixture
def table(account: TableAccount, faults: TableFaults) -> Iterator[Table]:
    """The table itself, with BEFORE in it."""
    table = account.table("tfaults")
    for row in content(table).keys() - BEFORE.keys():
        table.delete("p", row)
    for each in BEFORE.values():
        table.upsert(each)
        account.table("tfaultstwin").upsert({**each, "text": "twin"})
    faults.made = 0
    yield table
    faults.next.clear()
    faults.always = None


@pytest.fixture(scope="module")
def pauses() -> list[float]:
    return []


@pytest.fixture(scope="module")
def troubled(faults: TableFaults, pauses: list[float]) -> Iterator[Table]:
    """The same table, through the proxy; nothing is slept."""
    with ExitStack() as stack:
        account = TableAccount(connection_string=faults.connection_string, sleep=pauses.append)
        stack.callback(account.close)
        yield account.table("tfaults")


def content(table: Table) -> Content:
    return {each["RowKey"]: each for each in table.page("p", "", "~", 100)}


def own(found: Content) -> Content:
    return {row: each for row, each in found.items() if row.startswith("own")}


def etag_of(table: Table, row: str = "own-guard") -> str | None:
    found = table.get("p", row)
    return found.etag if found else None


NOT_ABSENT: dict[str, Fault] = {
    **FAULTS,
    "404 of an entity": refused(404, "ResourceNotFound"),
    "404 of a proxy that names the table": foreign(
        404, b'{"odata.error":{"code":"TableNotFound"}}'
    ),
    "403 of a proxy": foreign(403),
    "403 for a wrong key": refused(403, "AuthenticationFailed"),
    "401": refused(401, "InvalidAuthenticationInfo"),
    "409": refused(409, "TableBeingDeleted"),
}


@pytest.mark.parametrize("fault", NOT_ABSENT.values(), ids=NOT_ABSENT.keys())
def test_no_fault_hides_entities(table: Table, faults: TableFaults, fault: Fault) -> None:
    """Records of an earlier version that were taken for absent would all be captioned again."""
    account = TableAccount(connection_string=faults.connection_string, retries=0)
    assert table.get("p", "own-x")
    faults.always = fault
    for read in (Table.has_entities, lambda table: bool(table.scan(1, None)[0])):
        try:
            assert read(account.table("tfaults"))
        except (StorageUnavailable, HttpResponseError):
            continue
    account.close()


@pytest.mark.parametrize(("name", "fault", "always"), list(cases(WRITES, {})))
def test_a_write_is_done_or_can_be_repeated(
    table: Table, troubled: Table, faults: TableFaults, name: str, fault: Fault, *, always: bool
) -> None:
    operation = WRITES[name]
    if operation.begins_without_guard:
        for row in ("own-guard", "other-guard"):
            table.delete("p", row)
    before = own(content(table))
    expected = {**before, **operation.after}
    after = {row: each for row, each in expected.items() if each is not None}
    etag = etag_of(table)
    troubled.get("p", "own-x")  # so that the connection is a kept one
    if always:
        faults.always = fault
    else:
        faults.next.append(fault)
    told: object = None
    failed: Exception | None = None
    try:
        told = operation.act(troubled, etag)
    except (StorageUnavailable, RecordChanged) as error:
        failed = error
    if failed:
        # Only a write without a `save` cannot tell its own version from another's.
        assert always or (isinstance(failed, RecordChanged) and not name.startswith("transaction"))
        faults.always = None
        found = own(content(table))
        assert found in (before, after)
        if found != after:
            operation.act(troubled, etag_of(table))
    else:
        if isinstance(told, str):
            guarded = "own-x" if "without" in name else "own-guard"
            assert told == (etag_of(table, guarded) or "")
        if name.startswith("transaction that"):
            assert faults.made == 1 + (fault in {other_request, other_request_after})
    assert own(content(table)) == after


@pytest.mark.parametrize(("name", "fault", "always"), list(cases(READS, FAULTS_OF_READS)))
def test_a_read_tells_what_is_there(
    table: Table, troubled: Table, faults: TableFaults, name: str, fault: Fault, *, always: bool
) -> None:
    truth = READS[name](table)
    if always:
        faults.always = fault
    else:
        faults.next.append(fault)
    try:
        told = READS[name](troubled)
    except StorageUnavailable:
        assert always
        faults.always = None
        told = READS[name](troubled)
    assert told == truth


def test_an_entity_of_another_table_is_not_believed(
    table: Table, troubled: Table, faults: TableFaults
) -> None:
    faults.next.append(other_table)
    assert troubled.get("p", "own-x") == table.get("p", "own-x")


def test_an_insert_of_another_entity_is_not_believed(
    table: Table, troubled: Table, faults: TableFaults
) -> None:
    """The answer says where the entity is."""
    for row in ("own-guard", "other-guard"):
        table.delete("p", row)
    faults.next.append(other_entity)
    told = WRITES["transaction that creates"].act(troubled, None)
    assert told == etag_of(table)


def changing(table: Table, how: Callable[[Table], object], fault: Fault, *, after: bool) -> Fault:
    """Another process writes before or after what the fault does."""

    def faulty(proxy: TableFaults, request: Request) -> bytes | None:
        if not after:
            how(table)
        answer = fault(proxy, request)
        if after:
            how(table)
        return answer

    return faulty


@pytest.mark.parametrize("fault", [reset(after=False), refused(503, "ServerBusy"), cut])
@pytest.mark.parametrize(
    "name", ["transaction that replaces", "transaction that merges", "transaction that deletes"]
)
def test_a_change_by_another_process_is_not_taken_for_ones_own(
    table: Table, troubled: Table, faults: TableFaults, name: str, fault: Fault
) -> None:
    etag = etag_of(table)
    theirs = entity("own-guard", save="theirs")
    faults.next.append(changing(table, lambda table: table.upsert(theirs), fault, after=False))
    with pytest.raises(RecordChanged):
        WRITES[name].act(troubled, etag)
    assert own(content(table)) == {**own(BEFORE), "own-guard": theirs}


@pytest.mark.parametrize("name", ["transaction that creates", "transaction that replaces"])
def test_a_change_after_ones_own_is_a_change(
    table: Table, troubled: Table, faults: TableFaults, name: str
) -> None:
    """The answer is lost, and so is the trace in the guard: the caller reads again."""
    if WRITES[name].begins_without_guard:
        table.delete("p", "own-guard")
    theirs = entity("own-guard", save="theirs")
    fault = changing(table, lambda table: table.upsert(theirs), reset(after=True), after=True)
    etag = etag_of(table)
    faults.next.append(fault)
    with pytest.raises(RecordChanged):
        WRITES[name].act(troubled, etag)
    assert content(table)["own-guard"] == theirs


@pytest.mark.parametrize("name", [name for name in WRITES if name.startswith("transaction that")])
def test_a_transaction_that_the_service_makes_after_it_was_given_up_is_ones_own(
    table: Table, troubled: Table, faults: TableFaults, name: str
) -> None:
    """It waits at the service while the guard is read, and is made before it is sent again."""
    if WRITES[name].begins_without_guard:
        table.delete("p", "own-guard")
    etag, waiting = etag_of(table), list[Request]()

    def keep(_: TableFaults, request: Request) -> bytes:
        waiting.append(request)
        return refused(504, "GatewayTimeout")(faults, request) or b""

    def let_go(proxy: TableFaults, request: Request) -> bytes:
        answer = proxy.ask(request).wire()
        proxy.ask(waiting.pop())
        return answer

    faults.next.extend([keep, let_go])
    told = WRITES[name].act(troubled, etag)
    assert told == (etag_of(table) or "")
    expected = {**own(BEFORE), **WRITES[name].after}
    assert own(content(table)) == {row: each for row, each in expected.items() if each}
    assert faults.made == 1


def test_the_pauses_grow_and_are_few(
    table: Table, troubled: Table, faults: TableFaults, pauses: list[float]
) -> None:
    pauses.clear()
    faults.always = refused(503, "ServerBusy")
    with pytest.raises(StorageUnavailable, match=r"503 \(ServerBusy\)"):
        troubled.get("p", "own-x")
    assert [0.25 <= pauses[0] <= 0.75, 0.5 <= pauses[1] <= 1.5, len(pauses)] == [True, True, 2]
