"""Blobs over the wire: what is clear there is not asked again, and nothing else is believed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requests import PreparedRequest, Response

from captioning.domain.blobs import BlobDescription
from captioning.errors import AuthRefused, BlobChanged, BlobGone
from captioning.storage.accounts import BlobAccount
from captioning.storage.authorization import Bearer, SharedAccess
from captioning.storage.blob_rest import BlobWire
from captioning.storage.blobs import ImageContainer
from captioning.storage.curl import Curl, Unclear
from captioning.storage.sessions import ExactPathSession
from testing.factories.records import START
from testing.harness.storage import Storage
from testing.services.server import Reply, WireServer

ODD = ["a/../b.jpg", "./a.jpg", "100% #1?.jpg", "🏖/猫 é.jpg", "a+b&c=d.jpg", "it's~(1).jpg", "a//b"]
BLOB = BlobDescription("a b.jpg", 4, '"0x1"', START)


class Unused(ExactPathSession):
    """Must not be needed."""

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        raise AssertionError(f"the SDK sent a {request.method}")


@pytest.fixture
def images(storage: Storage) -> Iterator[ImageContainer]:
    account = BlobAccount(connection_string=storage.connection, session=Unused(1))
    yield account.images(storage.name)
    account.close()


@pytest.mark.parametrize("path", ODD)
def test_a_blob_of_any_name_is_read_without_the_sdk(
    storage: Storage, images: ImageContainer, path: str
) -> None:
    blob = storage.upload(path, path.encode())
    assert images.describe(path) == blob
    assert images.read(blob) == path.encode()


def test_what_is_gone_or_changed_is_known_without_the_sdk(
    storage: Storage, images: ImageContainer
) -> None:
    blob = storage.upload("a.jpg", b"one")
    storage.upload("a.jpg", b"two")
    with pytest.raises(BlobChanged):
        images.read(blob)
    with pytest.raises(BlobGone):
        images.describe("b.jpg")


def test_whom_the_sdk_trusts_is_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """REQUESTS_CA_BUNDLE: a company's own authority, say."""
    url = "https://a.blob.core.windows.net"
    assert Path(ExactPathSession(1).authorities(url)).is_file()
    bundle = tmp_path / "own.pem"
    bundle.touch()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert ExactPathSession(1).authorities(url) == str(bundle)


def test_threads_share_the_connections(storage: Storage, images: ImageContainer) -> None:
    blobs = [storage.upload(f"{number}.jpg", bytes([number]) * 99_999) for number in range(8)]
    found: dict[str, bytes] = {}

    def read(blob: BlobDescription) -> None:
        found[blob.path] = images.read(blob)

    threads = [threading.Thread(target=read, args=(blob,)) for blob in blobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {f"{number}.jpg": bytes([number]) * 99_999 for number in range(8)}


GARBLED = {
    "cut": Reply(200, b"data", cut=True),
    "longer": Reply(200, b"data and more"),
    "a 404 of a proxy": Reply(404, b"<html>"),
    "a lease": Reply(412, headers={"x-ms-error-code": "LeaseIdMissing"}),
    "a redirect": Reply(302, headers={"location": "https://example.com/"}),
    "reset": Reply(reset=True),
}


@pytest.mark.parametrize("name", GARBLED)
def test_an_answer_that_is_not_the_services_is_not_believed(name: str) -> None:
    with WireServer(lambda _: GARBLED[name]) as server:
        wire = BlobWire(Curl(), server.url, "2025-01-05", SharedAccess("sig=a%2Bb"))
        with pytest.raises(Unclear):
            wire.read(BLOB)
        with pytest.raises(Unclear):
            wire.describe("a b.jpg", "sha256")
        assert [received.method for received in server.received] == ["GET", "HEAD"]
        assert server.received[0].query == [("sig", "a+b")]
        assert server.received[0].headers["if-match"] == '"0x1"'


def test_without_a_token_nothing_is_sent() -> None:
    def refused() -> str:
        raise AuthRefused("No token.")

    with WireServer(lambda _: Reply(200, b"data")) as server:
        wire = BlobWire(Curl(), server.url, "2025-01-05", Bearer(refused))
        with pytest.raises(Unclear):
            wire.read(BLOB)
        assert not server.received
