"""What the pipeline expects of where things are kept: on Azurite, and of the twins in memory."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from captioning.budget.ledger import Tally
from captioning.budget.table import UsageTable
from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import (
    Captioning,
    CaptionText,
    Claim,
    ImageAnalysis,
    Tag,
)
from captioning.domain.usage import Usage
from captioning.errors import BlobChanged, BlobGone, RecordChanged, RowMissing
from captioning.ports import Write
from captioning.reuse.entries import ReuseEntry, StoredEntry
from captioning.storage.queues import MessageQueue, connect
from captioning.storage.state import StateTable
from testing.factories.records import START
from testing.fakes.faults import Clock
from testing.fakes.stores import (
    MemoryDeferrals,
    MemoryImages,
    MemoryReuse,
    MemoryState,
    MemoryTable,
    MemoryUsage,
)
from testing.harness.storage import Storage

WORK = ReuseEntry(
    sha256="ab" * 32,
    fingerprint="cd" * 32,
    path="a b/ü#.jpg",
    run="worker/1",
    claim=Claim("worker/1", START),
    analysis=ImageAnalysis("azure 4.0", 640, 480, tags=(Tag("dog", 0.9),)),
    captioning=Captioning("gpt-4o-mini", {"en": CaptionText("A dog.", "Dog.")}),
    usage=Usage(input_tokens=3, vision_calls=1, usd=0.5),
    afresh="ef" * 16,
)
DAYS = [date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2)]


@dataclass
class Parts:
    """One implementation of everything."""

    table: Any
    reuse: Any
    images: Any
    deferrals: Any
    state: Any
    usage: Any
    upload: Callable[[str, bytes], BlobDescription]
    delete: Callable[[str], None]
    visible: Callable[[], list[CaptionMessage]]


def in_memory() -> Parts:
    now = Clock()
    images, deferrals = MemoryImages(now), MemoryDeferrals(now)
    return Parts(
        table=MemoryTable(),
        reuse=MemoryReuse(),
        images=images,
        deferrals=deferrals,
        state=MemoryState(),
        usage=MemoryUsage(),
        upload=images.upload,
        delete=images.delete,
        visible=lambda: [message.wake for message in deferrals.due()],
    )


def on_azurite(storage: Storage, stack: ExitStack) -> Parts:
    for name in ("state", "usage"):
        storage.account.create(storage.name + name)
    return Parts(
        table=storage.table,
        reuse=storage.reuse,
        images=storage.images,
        deferrals=queue(storage, stack),
        state=StateTable(storage.account.table(f"{storage.name}state")),
        usage=UsageTable(storage.account.table(f"{storage.name}usage")),
        upload=storage.upload,
        delete=storage.delete,
        visible=lambda: visible(storage),
    )


def queue(storage: Storage, stack: ExitStack) -> MessageQueue:
    made = connect(storage.name, connection_string=storage.connection)
    stack.callback(made.close)
    made.create()
    return made


def visible(storage: Storage) -> list[CaptionMessage]:
    with QueueClient.from_connection_string(storage.connection, storage.name) as client:
        messages = client.peek_messages(32)
    return [CaptionMessage.from_json(base64.b64decode(message.content)) for message in messages]


@pytest.fixture(params=["azurite", "memory"])
def parts(request: pytest.FixtureRequest) -> Iterator[Parts]:
    with ExitStack() as stack:
        if request.param == "memory":
            yield in_memory()
        else:
            yield on_azurite(request.getfixturevalue("storage"), stack)


def pages(read: Callable[[Any], tuple[list[Any], Any]], most: int) -> list[Any]:
    """What all pages hold."""
    found: list[Any] = []
    token = None
    for _ in range(50):
        page, token = read(token)
        assert len(page) <= most
        found += page
        if token is None:
            return found
    raise AssertionError("the pages have no end")


def keyed(row: str, partition: str = "p", **properties: Any) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": row, **properties}


def made(parts: Parts, row: str, **properties: Any) -> str:
    """A new entity's ETag."""
    return str(parts.table.transact([Write("insert", keyed(row, **properties))]))


def keys(parts: Parts, start: str = "", end: str = "\U0010ffff", size: int = 100) -> list[str]:
    return [entity["RowKey"] for entity in parts.table.page("p", start, end, size)]


def test_an_entity_survives_with_its_etag(parts: Parts) -> None:
    assert parts.table.get("p", "a") is None
    entity = keyed("a", text="é 🏖 '\"", number=3, large=2**40, share=0.5, flag=True)
    etag = parts.table.transact([Write("insert", entity)])
    row = parts.table.get("p", "a")
    assert (row.entity, row.etag) == (entity, etag)
    assert row.written.utcoffset() == timedelta(0)
    assert parts.table.get("q", "a") is None


def test_a_transaction_is_made_as_a_whole(parts: Parts) -> None:
    guard = made(parts, "guard", n=1)
    made(parts, "old")
    made(parts, "plain", n=1)
    etag = parts.table.transact(
        [
            Write("replace", keyed("guard", m=2), guard),
            Write("upsert", keyed("plain", n=2)),
            Write("upsert", keyed("new")),
            Write("delete", keyed("old")),
        ]
    )
    assert parts.table.get("p", "guard").etag == etag != guard
    assert parts.table.get("p", "guard").entity == keyed("guard", m=2)
    assert parts.table.get("p", "plain").entity == keyed("plain", n=2)
    assert keys(parts) == ["guard", "new", "plain"]


@pytest.mark.parametrize("kind", ["insert", "replace", "merge", "delete"])
@pytest.mark.parametrize("state", ["newer", "gone", "again"])
def test_nothing_is_written_where_the_guard_does_not_hold(
    parts: Parts, kind: Any, state: str
) -> None:
    """Another version is there, none, or one that was made after it was gone."""
    old = made(parts, "guard", n=1)
    made(parts, "old")
    if state == "newer":
        parts.table.transact([Write("replace", keyed("guard", n=2), old)])
    else:
        parts.table.transact([Write("delete", keyed("guard"), old)])
    if state == "again":
        assert made(parts, "guard", n=1) != old
    if kind == "insert" and state == "gone":
        return  # that guard holds
    before = parts.table.get("p", "guard")
    guard = Write(kind, keyed("guard", n=3), None if kind == "insert" else old)
    with pytest.raises(RecordChanged):
        parts.table.transact([guard, Write("upsert", keyed("new")), Write("delete", keyed("old"))])
    assert parts.table.get("p", "guard") == before
    assert keys(parts) == (["guard", "old"] if before else ["old"])


def test_a_missing_row_is_named_and_nothing_is_written(parts: Parts) -> None:
    guard = made(parts, "guard")
    made(parts, "old")
    deletes = [Write("delete", keyed(row)) for row in ("old", "missing é 'x'", "gone")]
    with pytest.raises(RowMissing) as caught:
        parts.table.transact([Write("replace", keyed("guard"), guard), *deletes])
    assert caught.value.row == "missing é 'x'"
    assert keys(parts) == ["guard", "old"]
    assert parts.table.get("p", "guard").etag == guard


def test_a_merge_keeps_what_it_does_not_name(parts: Parts) -> None:
    old = made(parts, "a", n=1, m=1)
    new = parts.table.transact([Write("merge", keyed("a", m=2, k=3), old)])
    assert parts.table.get("p", "a").entity == keyed("a", n=1, m=2, k=3)
    assert parts.table.get("p", "a").etag == new != old


def test_a_deleted_guard_has_no_etag(parts: Parts) -> None:
    etag = made(parts, "a")
    made(parts, "b")
    assert (
        parts.table.transact([Write("delete", keyed("a"), etag), Write("delete", keyed("b"))]) == ""
    )
    assert keys(parts) == []


def test_a_transaction_of_a_hundred(parts: Parts) -> None:
    rows = [f"term~{number:03}" for number in range(100)]
    parts.table.transact([Write("upsert", keyed(row)) for row in rows])
    assert keys(parts) == rows
    parts.table.transact([Write("delete", keyed(row)) for row in rows])
    assert keys(parts) == []


def test_pages_are_in_the_order_of_their_keys(parts: Parts) -> None:
    rows = ["!", "A", "a", "a b", "a~", "a~~", "~", "é", "字", "𠀀"]
    for row in reversed(rows):
        made(parts, row, shown=row)
    parts.table.transact([Write("insert", keyed("a", partition="q"))])
    assert keys(parts) == rows
    assert keys(parts, size=4) == rows[:4]
    assert keys(parts, "a", "a~~") == ["a", "a b", "a~"]
    assert keys(parts, "b", "c") == []
    assert parts.table.page("p", "~", "字", 9, ["RowKey"]) == [{"RowKey": "~"}, {"RowKey": "é"}]


def test_work_survives_with_its_etag(parts: Parts) -> None:
    etag = parts.reuse.put(WORK, None)
    assert parts.reuse.get(WORK.sha256, WORK.fingerprint) == StoredEntry(WORK, etag)
    assert parts.reuse.get(WORK.sha256, "ef" * 32) is None
    assert parts.reuse.get("ef" * 32, WORK.fingerprint) is None


def test_work_is_claimed_once(parts: Parts) -> None:
    parts.reuse.put(WORK, None)
    with pytest.raises(RecordChanged):
        parts.reuse.put(replace(WORK, path="b.jpg"), None)
    assert parts.reuse.get(WORK.sha256, WORK.fingerprint).work == WORK


def test_work_is_replaced_in_its_latest_version_only(parts: Parts) -> None:
    old = parts.reuse.put(WORK, None)
    bare = replace(WORK, claim=None, captioning=None, afresh=None)
    parts.reuse.put(bare, old)
    with pytest.raises(RecordChanged):
        parts.reuse.put(WORK, old)
    assert parts.reuse.get(WORK.sha256, WORK.fingerprint).work == bare


def test_a_blob_is_described_and_read(parts: Parts) -> None:
    before = parts.upload("a/ü.jpg", b"one")
    described = parts.images.describe("a/ü.jpg")
    assert (described.path, described.bytes, described.etag) == ("a/ü.jpg", 3, before.etag)
    assert described.etag == f'"{described.etag[1:-1]}"'
    assert described.modified.utcoffset() == timedelta(0)
    assert described.modified.microsecond == 0
    assert parts.images.read(described) == b"one"


def test_an_overwritten_blob_is_another_one_though_its_bytes_are_the_same(parts: Parts) -> None:
    before = parts.upload("a.jpg", b"one")
    after = parts.upload("a.jpg", b"one")
    assert parts.images.describe("a.jpg").etag == after.etag != before.etag
    with pytest.raises(BlobChanged):
        parts.images.read(before)


def test_a_deleted_blob_is_gone(parts: Parts) -> None:
    before = parts.upload("a.jpg", b"one")
    parts.delete("a.jpg")
    with pytest.raises(BlobGone):
        parts.images.describe("a.jpg")
    with pytest.raises((BlobGone, BlobChanged)):  # Azurite looks at the condition first
        parts.images.read(before)
    again = parts.upload("a.jpg", b"one")
    assert again.etag != before.etag


@pytest.mark.parametrize("size", [1, 3, 100])
def test_pages_hold_every_blob_once_by_path(parts: Parts, size: int) -> None:
    blobs = [parts.upload(path, b"x") for path in ("a", "a/b", "b", "z", "é")]
    found = pages(lambda marker: parts.images.page(size, marker), size)
    assert [(blob.path, blob.etag) for blob in found] == [(b.path, b.etag) for b in blobs]


def test_a_message_is_seen_when_it_is_due(parts: Parts) -> None:
    later = CaptionMessage("later/ü.jpg", "worker/1")
    soon = [
        CaptionMessage("now.jpg"),
        CaptionMessage("now.jpg"),
        CaptionMessage("é", afresh="ef" * 16),
    ]
    for wake in soon:
        parts.deferrals.put(wake, 0)
    parts.deferrals.put(later, 3600)
    assert parts.deferrals.depth() == 4
    assert sorted(parts.visible(), key=str) == sorted(soon, key=str)


def test_a_delay_that_is_over_is_none(parts: Parts) -> None:
    parts.deferrals.put(CaptionMessage("a.jpg"), -5)
    assert parts.visible() == [CaptionMessage("a.jpg")]


def test_the_last_document_counts(parts: Parts) -> None:
    assert parts.state.get("walk", "blobs") is None
    for document in ({"at": "é", "n": [1, None]}, {"at": "z"}):
        parts.state.put("walk", "blobs", document)
        assert parts.state.get("walk", "blobs") == document
    assert parts.state.get("walk", "records") is None
    for _ in range(2):
        parts.state.delete("walk", "blobs")
    assert parts.state.get("walk", "blobs") is None


def test_each_worker_has_a_row_a_day(parts: Parts) -> None:
    tally = Tally(captioned=1, input_tokens=3 * 10**9, usd=0.25)
    for worker in ("b", "a"):
        for day in reversed(DAYS):
            parts.usage.save(day, worker, tally)
    parts.usage.save(DAYS[1], "a", tally + tally)
    assert list(parts.usage.between(DAYS[1], DAYS[2])) == [
        (DAYS[1], "a", tally + tally),
        (DAYS[1], "b", tally),
        (DAYS[2], "a", tally),
        (DAYS[2], "b", tally),
    ]
    assert list(parts.usage.between(DAYS[0] - timedelta(days=9), DAYS[0] - timedelta(1))) == []
