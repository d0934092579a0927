"""Erasing an image: what is left of it afterwards, and what becomes of the others."""

from __future__ import annotations

import re

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from captioning.domain.record import record_id
from captioning.errors import StorageUnavailable
from captioning.maintenance.missing import Mark, MissingBlobs
from captioning.records.edits import edited
from captioning.search.query import parse
from captioning.webhook.outbox import OutboxCatalog
from testing.factories.pictures import oriented
from testing.fakes.faults import Crash, FaultInjector
from testing.fakes.stores import MemoryNotices
from testing.harness.pipeline import PipelineLab, on
from testing.harness.storage import Storage

PATH = "secret/mila.jpg"
ADDRESS = "Mila Novak, Hauptstrasse 3."
TRACES = re.compile(rf"mila|hauptstra|secret|{record_id(PATH)}", re.IGNORECASE)


def everything(storage: Storage) -> list[str]:
    """Every row of the app's tables and every blob of its containers, as text."""
    found: list[str] = []
    with TableServiceClient.from_connection_string(storage.connection) as tables:
        for table in tables.query_tables(f"TableName ge '{storage.name}'"):
            if table.name.startswith(storage.name):
                rows = tables.get_table_client(table.name).list_entities()
                found += [f"{table.name}: {dict(row)}" for row in rows]
    with BlobServiceClient.from_connection_string(storage.connection) as blobs:
        for container in blobs.list_containers(name_starts_with=storage.name):
            client = blobs.get_container_client(container.name)
            found += [
                f"{container.name}: {blob.name} {blob.metadata}" for blob in client.list_blobs()
            ]
    return found


def traces(storage: Storage) -> list[str]:
    return [each for each in everything(storage) if TRACES.search(each)]


def captioned(lab: PipelineLab, path: str, number: int = 1) -> None:
    lab.storage.upload(path, oriented(number))
    assert lab.pipeline(bursts=60.0).process(on(path))


def corrected(lab: PipelineLab, path: str = PATH, caption: str = ADDRESS) -> None:
    stored = lab.stored(path)
    edits = {"caption": caption, "tags": [{"name": "Mila Novak", "confidence": 1.0}]}
    lab.storage.catalog.save(edited(stored.record, edits, lab.clock()), stored)


@pytest.fixture
def traced(lab: PipelineLab) -> PipelineLab:
    """An app that has traces of an image in all of its tables and containers."""
    storage = lab.storage
    captioned(lab, PATH)
    corrected(lab)
    storage.thumbnails.put(storage.images.describe(PATH), 160, b"jpeg")
    storage.trash(lab.clock).put(lab.stored(PATH))
    MissingBlobs(storage.state).put(Mark(PATH, lab.clock()))
    return lab


def test_nothing_is_left_in_any_table_or_container(traced: PipelineLab) -> None:
    storage = traced.storage
    sha256 = traced.stored(PATH).record.image.sha256
    tables = {each.partition(":")[0].removeprefix(storage.name) for each in traces(storage)}
    assert tables >= {"", "catalog", "words", "reuse", "state", "trash", "-thumbnails"}
    assert any(str(sha256) in each for each in everything(storage) if "bursts:" in each)
    assert storage.erasure(traced.clock).erase(PATH)
    assert traces(storage) == []
    assert not any(str(sha256) in each for each in everything(storage))


def test_others_keep_what_is_theirs(traced: PipelineLab) -> None:
    """A word that two images have, and a copy of the same bytes."""
    storage = traced.storage
    captioned(traced, "other/copy.jpg")
    captioned(traced, "novak/house.jpg", number=2)
    assert traced.stored("other/copy.jpg").record.provenance.reused_from == PATH
    assert storage.erasure(traced.clock).erase(PATH)
    assert traces(storage) == []
    copy = traced.stored("other/copy.jpg").record
    assert (copy.status, copy.provenance.reused_from) == ("captioned", "")
    assert storage.catalog.search(parse("nov", (), ("en",)), 10).records
    assert [row["RowKey"] for row in storage.words.page("dictionary", "word~nov", "word~now", 9)]


def test_one_that_breaks_off_is_finished_by_the_next(traced: PipelineLab) -> None:
    """At the first call to the trash, to the catalogue, and to the answers of services."""
    storage, calls = traced.storage, 0
    while True:
        faults = FaultInjector()
        parts = {
            "catalog": faults.wrap(storage.catalog),
            "outbox": faults.wrap(storage.catalog),
            "trash": faults.wrap(storage.trash(traced.clock)),
            "answers": faults.wrap(storage.reuse),
            "frames": faults.wrap(storage.bursts),
        }
        calls += 1
        faults.crash(calls)
        try:
            storage.erasure(traced.clock, **parts).erase(PATH)
        except Crash:
            continue
        break
    assert calls > 5
    assert traces(storage) == []


def test_an_image_of_another_container_keeps_its_record(traced: PipelineLab) -> None:
    """A DELETE under a wrong IMAGES_CONTAINER finds no blob."""
    storage = traced.storage
    storage.delete(PATH)
    assert not storage.erasure(traced.clock, is_own=lambda: False).erase(PATH)
    assert storage.catalog.get(PATH)
    assert not storage.erasure(traced.clock).erase(PATH)
    assert storage.catalog.get(PATH) is None


def test_the_webhook_is_told_first(traced: PipelineLab) -> None:
    notices = MemoryNotices(traced.clock)
    faults = FaultInjector()
    outbox = OutboxCatalog(traced.storage.catalog, faults.wrap(notices), traced.clock)
    faults.fail()
    with pytest.raises(StorageUnavailable):
        traced.storage.erasure(traced.clock, outbox=outbox).erase(PATH)
    assert traced.storage.catalog.get(PATH)
    traced.storage.erasure(traced.clock, outbox=outbox).erase(PATH)
    [(message, _)] = notices.held
    assert (message.path, message.is_deleted) == (PATH, True)


def test_the_event_of_the_deleted_blob_may_come_first(traced: PipelineLab) -> None:
    """It has the record removed while the image is being erased."""
    storage = traced.storage
    faults = FaultInjector()
    faults.plan(lambda: traced.cleanup.forget(PATH), after=True)
    storage.erasure(traced.clock, images=faults.wrap(storage.images)).erase(PATH)
    assert traces(storage) == []
