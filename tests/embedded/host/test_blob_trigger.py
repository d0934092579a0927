"""The embedded host's blob trigger against real storage (Azurite)."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from contextlib import ExitStack
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobServiceClient

from captioning.embedded.host.embedded_host import EmbeddedHost
from captioning.embedded.host.functions import HostStartError
from captioning.storage.sessions import ExactPathSession
from testing.harness.embedded_host import HostLab, Recorder, blob_app, taken
from testing.harness.waiting import eventually


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
    host_lab.host(blob_app(fail))
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
