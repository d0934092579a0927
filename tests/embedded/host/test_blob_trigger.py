"""The embedded host's blob trigger against real storage (Azurite)."""

from __future__ import annotations

import json
import threading
import uuid
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobClient, BlobServiceClient, ContentSettings
from azure.storage.queue import QueueClient

from captioning.embedded.host.embedded_host import EmbeddedHost
from captioning.embedded.host.functions import HostStartError
from captioning.storage.sessions import ExactPathSession
from testing.azurite import Azurite
from testing.harness.embedded_host import HostLab, Recorder, blob_app, taken
from testing.harness.waiting import HUNG_SECONDS, eventually


def test_runs_for_new_and_overwritten_blobs_and_not_again_after_a_restart(
    host_lab: HostLab,
) -> None:
    seen = Recorder()

    def read(client: Any) -> None:
        seen(client.download_blob().readall())

    with ExitStack() as first:
        first.enter_context(EmbeddedHost(blob_app(read), host_lab.settings, {}))
        host_lab.upload("a.jpg", b"one")
        eventually(lambda: seen.items == [b"one"])
        host_lab.upload("a.jpg", b"two")
        eventually(lambda: seen.items == [b"one", b"two"])
    host_lab.upload("b.jpg", b"while away")
    host_lab.host(blob_app(read), {"extensions": {"blobs": {"maxDegreeOfParallelism": 1}}})
    eventually(lambda: b"while away" in seen.items)
    assert seen.items == [b"one", b"two", b"while away"]


def test_a_container_may_be_made_later(host_lab: HostLab) -> None:
    host_lab.container.delete_container()
    host_lab.settings["IMAGES_CONTAINER"] = later = f"{host_lab.name}-later"
    seen = Recorder()
    host_lab.host(blob_app(lambda client: seen(client.blob_name)))
    service = BlobServiceClient.from_connection_string(host_lab.connection)
    with service, service.create_container(later) as container:
        container.upload_blob("x", b"x")
        eventually(lambda: seen.items == ["x"])


def test_strange_names_arrive_intact(host_lab: HostLab) -> None:
    names = {
        "%41.jpg",
        "%2F",
        "a b+c&d='\".jpg",
        "q?x#y.jpg",
        "a//b",
        "dot.",
        "猫" * 1024,
        "e" * 1024,
        "🐕/שלום\u200f.jpg",
        "{name}%IMAGES_CONTAINER%",
    }
    seen = Recorder()

    def read(client: Any) -> None:
        seen((client.container_name, client.blob_name, client.download_blob().readall()))

    for name in names:
        host_lab.upload(name, name.encode())
    host_lab.host(blob_app(read))
    eventually(lambda: len(seen.items) >= len(names))
    assert set(seen.items) == {(host_lab.name, name, name.encode()) for name in names}


def test_a_name_with_dot_segments_is_the_blob_that_is_looked_for(host_lab: HostLab) -> None:
    transport = RequestsTransport(session=ExactPathSession(pool=1))
    service = BlobServiceClient.from_connection_string(host_lab.connection, transport=transport)
    seen = Recorder()
    with service:
        service.get_blob_client(host_lab.name, "a/../b/./c.jpg").upload_blob(b"x")
        host_lab.host(blob_app(lambda client: seen(client.blob_name)))
        eventually(lambda: seen.items == ["a/../b/./c.jpg"])


def test_a_path_that_selects_some_blobs_stops_the_start(host_lab: HostLab) -> None:
    with pytest.raises(HostStartError, match=r"caption_image.*all blobs"):
        host_lab.host(blob_app(Recorder(), path="%IMAGES_CONTAINER%/in/{x}.jpg"))


def test_five_attempts_then_the_poison_queue(
    host_lab: HostLab, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Recorder()

    def fail(client: Any) -> None:
        seen(client.blob_name)
        raise RuntimeError("no luck")

    name = f"doomed-{uuid.uuid4()}"
    etag = host_lab.upload(name)
    # Neither is for blobs: there is no pause, and the poison message is base64.
    queues = {"messageEncoding": "none", "visibilityTimeout": "01:00:00"}
    host_lab.host(blob_app(fail), {"extensions": {"queues": queues}})
    poison, messages = host_lab.queue("webjobs-blobtrigger-poison"), Recorder()

    def moved() -> bool:
        messages.items += taken(poison)
        return bool(messages.items)

    eventually(moved)
    assert seen.items == [name] * 5
    assert json.loads(messages.items[0]) == {
        "Type": "BlobTrigger",
        "FunctionId": "Host.Functions.caption_image",
        "BlobType": "BlockBlob",
        "ContainerName": host_lab.name,
        "BlobName": name,
        "ETag": f'"{etag}"',
    }
    assert caplog.text.count("caption_image raised an exception (attempt") == 5
    assert "RuntimeError: no luck" in caplog.text


def test_poison_goes_to_the_account_of_the_blob(host_lab: HostLab) -> None:
    def fail(client: Any) -> None:
        raise RuntimeError(client.blob_name)

    with Azurite() as other:
        host_lab.settings["AzureWebJobsStorage"] = other.connection_string
        name, poison = f"doomed-{uuid.uuid4()}", host_lab.queue("webjobs-blobtrigger-poison")
        host_lab.upload(name)
        with EmbeddedHost(blob_app(fail), host_lab.settings, {}):
            eventually(lambda: any(json.loads(text)["BlobName"] == name for text in taken(poison)))


CHANGES: dict[str, Callable[[BlobClient], object]] = {
    "metadata": lambda blob: blob.set_blob_metadata({"a": "b"}),
    "properties": lambda blob: blob.set_http_headers(ContentSettings("image/png")),
    "content": lambda blob: blob.upload_blob(b"new", overwrite=True),
    "the same content": lambda blob: blob.upload_blob(b"x", overwrite=True),
    "made again": lambda blob: (blob.delete_blob(), blob.upload_blob(b"x")),
    "a copy over it": lambda blob: blob.start_copy_from_url(blob.url),
}
NO_CHANGES: dict[str, Callable[[BlobClient], object]] = {
    "tier": lambda blob: blob.set_standard_blob_tier("Cool"),
    "tags": lambda blob: blob.set_blob_tags({"a": "b"}),
    "snapshot": lambda blob: blob.create_snapshot(),
    "lease": lambda blob: blob.acquire_lease(),
    "a block that is not committed": lambda blob: blob.stage_block("YQ==", b"x"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_new_etag_is_a_call(host_lab: HostLab, change: str) -> None:
    seen = Recorder()
    blob = host_lab.container.get_blob_client("a.jpg")
    blob.upload_blob(b"x")
    host_lab.host(blob_app(lambda client: seen(client.blob_name)))
    eventually(lambda: seen.items == ["a.jpg"])
    CHANGES[change](blob)
    eventually(lambda: seen.items == ["a.jpg"] * 2)


@pytest.mark.parametrize("change", NO_CHANGES)
def test_without_one_there_is_none(host_lab: HostLab, change: str) -> None:
    """A blob that is uploaded after the change is found by a scan that saw the change."""
    seen = Recorder()
    blob = host_lab.container.get_blob_client("a.jpg")
    blob.upload_blob(b"x")
    host_lab.host(blob_app(lambda client: seen(client.blob_name)))
    eventually(lambda: seen.items == ["a.jpg"])
    NO_CHANGES[change](blob)
    host_lab.upload("b.jpg")
    eventually(lambda: "b.jpg" in seen.items)
    assert seen.items == ["a.jpg", "b.jpg"]


def test_append_and_page_blobs_are_called(host_lab: HostLab) -> None:
    seen = Recorder()
    grown = host_lab.container.get_blob_client("grown")
    grown.create_append_blob()
    host_lab.container.get_blob_client("pages").create_page_blob(512)
    host_lab.host(blob_app(lambda client: seen(client.blob_name)))
    eventually(lambda: sorted(seen.items) == ["grown", "pages"])
    grown.append_block(b"x")
    eventually(lambda: sorted(seen.items) == ["grown", "grown", "pages"])


def test_a_name_with_a_slash_at_an_end_is_no_call(host_lab: HostLab) -> None:
    seen = Recorder()
    for name in ("folder/", "/d.jpg", "in/e.jpg", "last.jpg"):
        host_lab.upload(name)
    host_lab.host(blob_app(lambda client: seen(client.blob_name)))
    eventually(lambda: len(seen.items) == 2)
    assert sorted(seen.items) == ["in/e.jpg", "last.jpg"]


def test_a_blob_that_changed_or_went_meanwhile_is_done_with(host_lab: HostLab) -> None:
    queue = host_lab.queue(f"azure-webjobs-blobtrigger-{host_lab.name}")
    queue.create_queue()
    for name, etag in (("gone", "0x1"), ("changed", "0x1")):
        text = {
            "Type": "BlobTrigger",
            "FunctionId": "Host.Functions.caption_image",
            "BlobType": "BlockBlob",
            "ContainerName": host_lab.name,
            "BlobName": name,
            "ETag": etag,
        }
        queue.send_message(b64encode(json.dumps(text).encode()).decode())
    seen = Recorder()
    host_lab.upload("changed")
    host_lab.host(blob_app(lambda client: seen(client.blob_name)))
    eventually(lambda: seen.items == ["changed"])
    eventually(lambda: queue.get_queue_properties().approximate_message_count == 0)
    assert seen.items == ["changed"]


def overwritten(host_lab: HostLab) -> None:
    host_lab.upload("a.jpg", b"new")


def deleted(host_lab: HostLab) -> None:
    host_lab.container.delete_blob("a.jpg")


@pytest.mark.parametrize(("meanwhile", "read"), [(overwritten, [b"new"]), (deleted, [])])
def test_what_happens_to_a_blob_while_its_message_waits(
    host_lab: HostLab, meanwhile: Callable[[HostLab], None], read: list[bytes]
) -> None:
    seen, gate = Recorder(), threading.Semaphore(0)

    def work(client: Any) -> None:
        if client.blob_name == "first.jpg":
            assert gate.acquire(timeout=HUNG_SECONDS)
        else:
            seen(client.download_blob().readall())

    queue = host_lab.queue(f"azure-webjobs-blobtrigger-{host_lab.name}")
    one = {"extensions": {"blobs": {"maxDegreeOfParallelism": 1}}}
    host_lab.upload("first.jpg")
    host_lab.host(blob_app(work), one)
    eventually(lambda: exists(queue))
    host_lab.upload("a.jpg", b"old")
    eventually(lambda: queue.get_queue_properties().approximate_message_count == 2)
    meanwhile(host_lab)
    host_lab.upload("last.jpg", b"last")
    eventually(lambda: (queue.get_queue_properties().approximate_message_count or 0) >= 3)
    gate.release()
    eventually(lambda: b"last" in seen.items)
    eventually(lambda: queue.get_queue_properties().approximate_message_count == 0)
    assert seen.items == [*read, b"last"]


def test_a_blob_that_is_overwritten_during_its_call_is_called_again(host_lab: HostLab) -> None:
    seen, gate = Recorder(), threading.Semaphore(0)

    def work(client: Any) -> None:
        seen(client.download_blob().readall())
        assert gate.acquire(timeout=HUNG_SECONDS)

    host_lab.upload("a.jpg", b"old")
    host_lab.host(blob_app(work))
    eventually(lambda: seen.items == [b"old"])
    host_lab.upload("a.jpg", b"new")
    eventually(lambda: seen.items == [b"old", b"new"])
    gate.release(2)


def exists(queue: QueueClient) -> bool:
    try:
        queue.get_queue_properties()
    except ResourceNotFoundError:
        return False
    return True
