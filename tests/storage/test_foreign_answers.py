"""Answers of something else than the storage account: no record is removed, nothing is believed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from azure.storage.blob import ContainerClient

from captioning.errors import BlobChanged, BlobGone, StorageUnavailable
from captioning.maintenance.reconcile import Reconciler
from captioning.records.layout import Layout
from captioning.storage.accounts import BlobAccount, TableAccount
from captioning.storage.queues import connect
from testing.fakes.forwarding import Answer
from testing.harness.maintenance import MaintenanceLab
from testing.harness.pipeline import PipelineLab, on
from testing.harness.proxied_storage import Behind
from testing.services.server import Reply, WireServer

PATHS = [f"{number}.jpg" for number in range(6)]
OWN, GONE = ("x-ms-request-id", "1"), ("x-ms-error-code", "BlobNotFound")
FOREIGN = {
    "bare": [],
    "a proxy's": [("Content-Type", "text/html"), ("Server", "nginx")],
    "an address without blobs": [OWN, ("x-ms-error-code", "ResourceNotFound")],
    "another container": [OWN, ("x-ms-error-code", "ContainerNotFound")],
    "a code without the service": [GONE],
}


@contextmanager
def answering(behind: Behind, foreign: Answer) -> Iterator[None]:
    """Has requests to read blobs answered with this."""
    before = behind.proxy.garble

    def garbled(service: str, method: str, answer: Answer) -> Answer:
        return foreign if service == "blob" and method in {"HEAD", "GET"} else answer

    behind.proxy.garble = garbled
    yield
    behind.proxy.garble = before


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_404_removes_no_record(behind: Behind, kind: str) -> None:
    maintenance = MaintenanceLab(behind.storage)
    for path in PATHS:
        maintenance.record(maintenance.upload(path))
    assert behind.proxied.images
    rounds = Reconciler(
        images=behind.proxied.images,
        catalog=behind.storage.catalog,
        binding=Layout(behind.storage.table),
        queue=maintenance.messages,
        state=behind.storage.state,
        forget=maintenance.cleanup(images=behind.proxied.images).forget,
        forget_after=timedelta(0),
        lease=timedelta(minutes=2),
        now=maintenance.now,
    )
    with ExitStack() as stack:
        lab = PipelineLab(behind.storage, stack)
        pipeline = lab.pipeline(
            images=behind.proxied.images,
            forget=maintenance.cleanup(images=behind.proxied.images).forget,
        )
        with answering(behind, (404, FOREIGN[kind], b"")):
            rounds.run()
            for path in PATHS:
                pipeline.process(on(path))
                with pytest.raises(StorageUnavailable, match="404"):
                    maintenance.cleanup(images=behind.proxied.images).forget(path)
        assert maintenance.listed() == PATHS
        assert sorted(message.wake.path for message in lab.deferrals.held) == PATHS


def test_the_services_own_404_is_believed_through_a_proxy(behind: Behind) -> None:
    blob = behind.storage.upload("a.jpg", b"one")
    behind.storage.delete("a.jpg")
    with pytest.raises(BlobGone):
        behind.proxied.images.describe("a.jpg")
    with pytest.raises((BlobGone, BlobChanged)):
        behind.proxied.images.read(blob)
    with pytest.raises(BlobGone):
        behind.proxied.images.delete("a.jpg")


def test_other_bytes_of_the_same_length_are_refused(behind: Behind) -> None:
    blob = behind.storage.upload("a.jpg", b"the bytes")
    proxied = behind.proxied.images

    def swapped(service: str, method: str, answer: Answer) -> Answer:
        status, headers, body = answer
        return status, headers, body[::-1]

    behind.proxy.garble = swapped
    with pytest.raises(BlobChanged):
        proxied.read(blob)


def test_a_stale_hash_that_another_program_kept_is_no_harm(behind: Behind) -> None:
    digest = behind.storage.upload("a.jpg", b"before").sha256
    assert digest
    with ContainerClient.from_connection_string(
        behind.storage.connection, behind.storage.name
    ) as container:
        container.upload_blob("a.jpg", b"behind", overwrite=True, metadata={"sha256": digest})
    blob = behind.storage.images.describe("a.jpg")
    assert blob.sha256 == digest
    assert behind.storage.images.read(blob) == b"behind"


def test_an_answer_for_another_blob_is_refused(behind: Behind) -> None:
    blob, other = (behind.storage.upload(path, path.encode()) for path in ("a.jpg", "b.jpg"))
    proxied = behind.proxied.images

    def renamed(service: str, method: str, answer: Answer) -> Answer:
        status, headers, body = answer
        headers = [(n, other.etag if n.lower() == "etag" else v) for n, v in headers]
        return status, headers, body

    behind.proxy.garble = renamed
    with pytest.raises(StorageUnavailable, match="another blob"):
        proxied.read(blob)


def test_no_storage_client_follows_a_redirect() -> None:
    with (
        WireServer(lambda _: Reply(404, headers=dict([OWN, GONE]))) as elsewhere,
        WireServer(lambda _: Reply(307, headers={"Location": elsewhere.url})) as server,
        ExitStack() as stack,
    ):
        parts = "AccountName=a;AccountKey=aGk=;DefaultEndpointsProtocol=http;"
        for service in ("Blob", "Queue", "Table"):
            parts += f"{service}Endpoint={server.url}/a;"
        blobs = BlobAccount(connection_string=parts, retries=0)
        tables = TableAccount(connection_string=parts, retries=0)
        stack.callback(blobs.close)
        stack.callback(tables.close)
        container, table = blobs.images("images"), tables.table("captions")
        queue = connect("queue", connection_string=parts)
        stack.callback(queue.close)
        for ask in (
            lambda: container.describe("a.jpg"),
            lambda: container.page(10, None),
            lambda: container.delete("a.jpg"),
            queue.depth,
            lambda: table.get("a", "b"),
            table.has_entities,
        ):
            with pytest.raises(StorageUnavailable):
                ask()
        assert server.received
        assert not elsewhere.received
