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
    RowVersions,
    StoredRecord,
    Tag,
)
from captioning.domain.usage import Usage
from captioning.errors import BlobChanged, BlobGone, RecordChanged
from captioning.reuse.entries import ReuseEntry, StoredEntry
from captioning.search.rows import BEGINNING, END, IndexRow, WriteIntent, after, rows_of
from captioning.storage.queues import MessageQueue, connect
from captioning.storage.state import StateTable
from testing.factories.records import FULL, START, short
from testing.fakes.faults import Clock
from testing.fakes.stores import (
    MemoryDeferrals,
    MemoryImages,
    MemoryIndex,
    MemoryRecords,
    MemoryReuse,
    MemoryState,
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
VERSIONS = RowVersions("01234567", "89abcdef", "00000000")
DAYS = [date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2)]


@dataclass
class Parts:
    """One implementation of everything."""

    records: Any
    reuse: Any
    index: Any
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
        records=MemoryRecords(),
        reuse=MemoryReuse(),
        index=MemoryIndex(),
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
        records=storage.records,
        reuse=storage.reuse,
        index=storage.index,
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


def test_a_record_survives_with_its_etag(parts: Parts) -> None:
    assert parts.records.get(FULL.id) is None
    etag = parts.records.put(FULL, None, VERSIONS)
    stored = parts.records.get(FULL.id)
    assert (stored.record, stored.etag) == (FULL, etag)


def test_creating_a_record_that_is_there_is_refused(parts: Parts) -> None:
    parts.records.put(FULL, None, VERSIONS)
    with pytest.raises(RecordChanged):
        parts.records.put(short(FULL.path), None, VERSIONS)
    assert parts.records.get(FULL.id).record == FULL


def test_a_record_is_replaced_in_its_latest_version_only(parts: Parts) -> None:
    old = parts.records.put(FULL, None, VERSIONS)
    newer = replace(FULL, caption="Newer.")
    new = parts.records.put(newer, old, VERSIONS)
    assert new != old
    with pytest.raises(RecordChanged):
        parts.records.put(FULL, old, VERSIONS)
    assert parts.records.get(FULL.id).record == newer


def test_the_same_record_saved_again_is_another_version(parts: Parts) -> None:
    old = parts.records.put(FULL, None, VERSIONS)
    parts.records.put(FULL, old, VERSIONS)
    with pytest.raises(RecordChanged):
        parts.records.put(FULL, old, VERSIONS)


def test_a_removed_record_cannot_be_replaced(parts: Parts) -> None:
    etag = parts.records.put(FULL, None, VERSIONS)
    parts.records.delete(FULL.id, etag)
    with pytest.raises(RecordChanged):
        parts.records.put(FULL, etag, VERSIONS)
    assert parts.records.get(FULL.id) is None


def test_a_record_is_removed_in_its_latest_version_only(parts: Parts) -> None:
    old = parts.records.put(FULL, None, VERSIONS)
    new = parts.records.put(FULL, old, VERSIONS)
    with pytest.raises(RecordChanged):
        parts.records.delete(FULL.id, old)
    assert parts.records.get(FULL.id)
    parts.records.delete(FULL.id, new)
    parts.records.delete(FULL.id, new)
    assert parts.records.get(FULL.id) is None


def test_a_version_does_not_come_back_with_its_record(parts: Parts) -> None:
    etag = parts.records.put(FULL, None, VERSIONS)
    parts.records.delete(FULL.id, etag)
    assert parts.records.put(FULL, None, VERSIONS) != etag


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_paths_hold_every_record_once(parts: Parts, size: int) -> None:
    paths = {f"{number}/é.jpg" for number in range(7)}
    for path in paths:
        parts.records.put(short(path), None, VERSIONS)
    found = pages(lambda token: parts.records.paths(size, token), size)
    assert sorted(found) == sorted(paths)


def test_paths_go_on_though_records_are_removed_meanwhile(parts: Parts) -> None:
    etags = {f"{n}.jpg": parts.records.put(short(f"{n}.jpg"), None, VERSIONS) for n in range(8)}
    found, token = parts.records.paths(3, None)
    gone = [short(path) for path in found]
    for record in gone:
        parts.records.delete(record.id, etags[record.path])
    found += pages(lambda following: parts.records.paths(3, following or token), 3)
    assert sorted(found) == sorted(etags)


def test_no_paths_are_one_page(parts: Parts) -> None:
    assert parts.records.paths(10, None) == ([], None)


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


ROWS = [
    IndexRow(term, f"{number:014d}-{'ab' * 32}-{version}")
    for term in ("word~é", "tag~golden retriever", "all~2026-11")
    for number in (1, 2, 30)
    for version in ("01234567", "89abcdef")
]


def test_rows_are_read_in_their_order_from_a_position_to_another(parts: Parts) -> None:
    parts.index.add(frozenset(ROWS[3:]))
    parts.index.add(frozenset(ROWS))
    dogs = ROWS[6:12]
    term = dogs[0].partition
    assert parts.index.page(term, BEGINNING, END, 10) == dogs
    assert parts.index.page(term, BEGINNING, END, 4) == dogs[:4]
    assert parts.index.page(term, dogs[2].place, END, 10) == dogs[2:]
    assert parts.index.page(term, after(dogs[0].place), dogs[4].row, 10) == dogs[2:4]
    assert parts.index.page("tag~none", BEGINNING, END, 10) == []


def test_rows_are_removed_whether_there_or_not(parts: Parts) -> None:
    parts.index.add(frozenset(ROWS))
    for _ in range(2):
        parts.index.remove(frozenset(ROWS[:8]))
    assert parts.index.page("word~é", BEGINNING, END, 10) == []
    assert parts.index.page("tag~golden retriever", BEGINNING, END, 10) == ROWS[8:12]


def test_notes_are_kept_until_they_are_withdrawn(parts: Parts) -> None:
    first = WriteIntent("ab" * 32, "1" * 32, START, frozenset(ROWS))
    second = WriteIntent("0b" * 32, "2" * 32, START, frozenset())
    for note in (first, second):
        parts.index.announce(note)
    assert sorted(parts.index.notes(), key=lambda note: note.key) == [first, second]
    for _ in range(2):
        parts.index.withdraw(first)
    assert list(parts.index.notes()) == [second]


def test_words_and_months_are_known(parts: Parts) -> None:
    for path, moment in (("surfing.jpg", START), ("surf.jpg", START - timedelta(days=400))):
        record = short(path, moment, caption="Surf's up: a Süß Ort.")
        parts.index.learn(record)
        parts.index.add(rows_of(StoredRecord(record, "", RowVersions("1", "2", "3"))))
    assert parts.index.months() == ["2026-11", "2025-10"]
    assert parts.index.words("surf", 10) == ["surf", "surfing", "surfs"]
    assert parts.index.words("surf", 2) == ["surf", "surfing"]
    assert parts.index.words("sus", 2) == ["suss"]
    assert parts.index.words("x", 2) == []


def test_tags_that_images_have_are_listed_by_the_alphabet(parts: Parts) -> None:
    tags = ("Dog", "dog house", "Dogge", "cat", "Ärmel", "dot", "a/b#?\\c")
    record = short("a.jpg", tags=tuple(Tag(name, 1.0) for name in tags))
    stored = StoredRecord(record, "", RowVersions("1", "2", "3"))
    parts.index.learn(record)
    assert parts.index.tags("", 10) == []
    parts.index.add(rows_of(stored))
    assert parts.index.tags("", 10) == [
        "a/b#?\\c",
        "Ärmel",
        "cat",
        "Dog",
        "dog house",
        "Dogge",
        "dot",
    ]
    assert parts.index.tags("DOG", 2) == ["Dog", "dog house"]
    parts.index.remove(frozenset(r for r in rows_of(stored) if r.partition == "tag~dog house"))
    assert parts.index.tags("dog", 2) == ["Dog", "Dogge"]
    assert parts.index.tags("x", 2) == []


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
