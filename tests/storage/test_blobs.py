"""The container: pages of blobs, and what is the blob's fault and what is storage's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient

from captioning.cli.drop import Item, drop
from captioning.domain.blobs import BlobDescription
from captioning.errors import BlobChanged, BlobGone, StorageUnavailable
from captioning.storage.accounts import BlobAccount
from captioning.storage.blobs import ID_METADATA, ImageContainer
from testing.factories.records import START
from testing.harness.command_line import DEAD_STORAGE
from testing.harness.storage import Storage
from testing.services.server import Reply, WireServer

BLOB = BlobDescription("a.jpg", 4, '"0x1"', START)


@contextmanager
def impatient(connection: str, name: str = "images") -> Iterator[ImageContainer]:
    """A container that is asked once by the wire and once by the SDK."""
    account = BlobAccount(connection_string=connection, retries=0)
    yield account.images(name)
    account.close()


@pytest.fixture
def answers() -> Iterator[tuple[ImageContainer, list[Reply]]]:
    """A container behind a server that answers every request with the last reply given."""
    replies: list[Reply] = []
    with WireServer(lambda _: replies[-1]) as server:
        account = f"AccountName=a;AccountKey=aGk=;BlobEndpoint={server.url}/a;"
        with impatient(f"DefaultEndpointsProtocol=http;{account}") as images:
            yield images, replies


def test_pages_hold_every_blob_once_in_order(storage: Storage) -> None:
    paths = [f"{number}/🏖 {number}.jpg" for number in range(7)]
    blobs = [storage.upload(path, path.encode()) for path in paths]
    first, marker = storage.images.page(3, None)
    second, marker = storage.images.page(3, marker)
    third, end = storage.images.page(3, marker)
    assert [len(first), len(second), len(third), end] == [3, 3, 1, None]
    assert first + second + third == blobs


def test_an_empty_container_is_one_empty_page(storage: Storage) -> None:
    assert storage.images.page(3, None) == ([], None)


def test_a_blob_that_is_gone_or_changed_is_said_to_be(storage: Storage) -> None:
    blob = storage.upload("a.jpg", b"one")
    storage.upload("a.jpg", b"two")
    with pytest.raises(BlobChanged):
        storage.images.read(blob)
    storage.delete("a.jpg")
    with pytest.raises((BlobGone, BlobChanged)):  # 404 from Azure, 412 from Azurite
        storage.images.read(blob)
    with pytest.raises(BlobGone):
        storage.images.describe("a.jpg")


def test_a_missing_container_does_not_make_a_blob_gone(storage: Storage) -> None:
    with impatient(storage.connection, f"{storage.name}-missing") as missing:
        fails(missing, "404")


def test_storage_that_cannot_be_reached(storage: Storage) -> None:
    with impatient(DEAD_STORAGE) as images:
        fails(images, "cannot be reached")


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_storage_that_refuses(status: int, answers: tuple[ImageContainer, list[Reply]]) -> None:
    images, replies = answers
    replies.append(Reply(status))
    fails(images, "refuses the key" if status == 403 else str(status))


def test_a_connection_that_breaks(answers: tuple[ImageContainer, list[Reply]]) -> None:
    images, replies = answers
    replies.append(Reply(reset=True))
    fails(images, "cannot be reached")


def fails(images: ImageContainer, reason: str) -> None:
    """Everything a run asks meets storage trouble, for this reason."""
    for ask in (
        lambda: images.describe("a.jpg"),
        lambda: images.read(BLOB),
        lambda: images.page(10, None),
    ):
        with pytest.raises(StorageUnavailable, match=reason):
            ask()


def test_a_file_that_storage_does_not_take_is_one_that_failed(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"x")
    with impatient(DEAD_STORAGE) as images:
        (dropped,) = drop(images, [Item(file, "a.jpg")])
    assert dropped.outcome == "failed"
    assert dropped.problem.startswith("cannot be uploaded: the storage that ImageStorage names")


def test_a_container_keeps_its_identity_and_its_metadata(storage: Storage) -> None:
    assert storage.images
    with ContainerClient.from_connection_string(storage.connection, storage.name) as client:
        client.set_container_metadata({"team": "photos"})
        first = storage.images.identity()
        assert first.made
        assert storage.images.identity() == first
        metadata = client.get_container_properties().metadata
        assert metadata == {"team": "photos", ID_METADATA: first.made}
        client.set_container_metadata({**metadata, "team": "other"})
        assert storage.images.identity() == first
        client.set_container_metadata({})
        assert not storage.images.identity().is_same(first)
