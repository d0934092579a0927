"""No client follows a redirect: it would carry a key, a picture or a caption elsewhere, or have
another host answer for the one that was asked."""

from __future__ import annotations

import ast
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from captioning.app.credentials import token_provider
from captioning.captioner.client import OpenAICaptioner
from captioning.domain.blobs import BlobDescription
from captioning.domain.messages import CaptionMessage
from captioning.embedded.host.storage import StorageAccount
from captioning.images.rendition import Rendition
from captioning.ports import Write
from captioning.storage.accounts import BlobAccount, TableAccount
from captioning.storage.queues import connect
from captioning.transport import ask_local
from captioning.vision.client import VisionClient
from captioning.webhook.client import WebhookClient
from testing.factories import pictures
from testing.paths import ROOT
from testing.services.server import Reply, WireServer

BLOB = BlobDescription("a.jpg", 3, '"1"', datetime(2026, 1, 1, tzinfo=UTC))
ROW = {"PartitionKey": "p", "RowKey": "r"}
IMAGE = pictures.oriented(1)


@dataclass
class Place:
    """A server that answers with redirects, as every service that the app knows."""

    url: str
    stack: ExitStack

    @property
    def connection(self) -> str:
        parts = "AccountName=a;AccountKey=aGk=;DefaultEndpointsProtocol=http;"
        return parts + "".join(f"{s}Endpoint={self.url}/a;" for s in ("Blob", "Queue", "Table"))

    @property
    def images(self) -> Any:
        account = BlobAccount(connection_string=self.connection, retries=0)
        self.stack.callback(account.close)
        return account.images("images")

    @property
    def thumbnails(self) -> Any:
        account = BlobAccount(connection_string=self.connection, retries=0)
        self.stack.callback(account.close)
        return account.thumbnails("thumbnails")

    @property
    def tables(self) -> TableAccount:
        account = TableAccount(connection_string=self.connection, retries=0)
        self.stack.callback(account.close)
        return account

    @property
    def queue(self) -> Any:
        queue = connect("queue", connection_string=self.connection)
        self.stack.callback(queue.close)
        return queue

    @property
    def host(self) -> StorageAccount:
        account = StorageAccount(self.connection)
        self.stack.callback(account.close)
        return account


def vision(place: Place, api: str) -> None:
    client = VisionClient(endpoint=place.url, key="key", api=api)
    place.stack.callback(client.close)
    client.analyze(rendition())


def model(place: Place) -> None:
    client = OpenAICaptioner(
        base_url=f"{place.url}/v1/", api_key="key", model="m", languages=("en",), provider="openai"
    )
    place.stack.callback(client.close)
    client.caption(rendition(), None)


def identity(place: Place) -> None:
    from azure.identity import ManagedIdentityCredential

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDENTITY_ENDPOINT", f"{place.url}/token")
        patch.setenv("IDENTITY_HEADER", "secret")
        credential = ManagedIdentityCredential(retry_total=0)
        token_provider(credential, "https://storage.azure.com/.default")()


CLIENTS: dict[str, Callable[[Place], object]] = {
    "blob: properties": lambda place: place.images.describe("a.jpg"),
    "blob: content": lambda place: place.images.read(BLOB),
    "blob: upload": lambda place: place.images.write(
        "a.jpg", io.BytesIO(b"abc"), "", "image/jpeg", replaces=None
    ),
    "blob: deletion": lambda place: place.images.delete("a.jpg"),
    "blob: listing": lambda place: place.images.page(10, None),
    "blob: container": lambda place: place.images.identity(),
    "thumbnail": lambda place: place.thumbnails.get(BLOB, 160),
    "table: entity": lambda place: place.tables.table("t").get("p", "r"),
    "table: transaction": lambda place: place.tables.table("t").transact([Write("insert", ROW)]),
    "table: page": lambda place: place.tables.table("t").page("p", "a", "b", 10),
    "table: SDK": lambda place: place.tables.table("t").has_entities(),
    "table: creation": lambda place: place.tables.create("t"),
    "queue: message": lambda place: place.queue.put(CaptionMessage("a.jpg"), 0),
    "queue: depth": lambda place: place.queue.depth(),
    "Vision 4.0": lambda place: vision(place, "4.0"),
    "Vision 3.2": lambda place: vision(place, "3.2"),
    "model": model,
    "webhook": lambda place: WebhookClient(place.url).post(b"{}", {}),
    "our own host": lambda place: ask_local(place.url, 5),
    "embedded host: blobs": lambda place: next(
        place.host.blobs.get_container_client("images").list_blobs()
    ),
    "embedded host: queues": lambda place: place.host.queue("q").get_queue_properties(),
    "embedded host: tables": lambda place: place.host.table("t").get_entity("p", "r"),
    "identity": identity,
}


def rendition() -> Rendition:
    return Rendition(IMAGE, "image/jpeg", 400, 300, 1, (400, 300))


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[WireServer]:
    with WireServer(lambda _: Reply(200, {})) as server:
        yield server


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("client", CLIENTS)
def test_no_client_follows_a_redirect(client: str, status: int, elsewhere: WireServer) -> None:
    elsewhere.received.clear()
    moved = Reply(status, headers={"Location": f"{elsewhere.url}/there"})
    with WireServer(lambda _: moved) as server, ExitStack() as stack:
        with suppress(Exception):  # each has its own error for this, tested where it is at home
            CLIENTS[client](Place(server.url, stack))
        assert server.received, "the client has to ask at all"
    assert elsewhere.received == []


FOLLOWING = {"urllib.request", "urllib3.poolmanager", "http.client", "httpx", "aiohttp"}
"""Modules whose clients follow redirects, or that need no home here."""
SHORTCUTS = {"get", "post", "put", "patch", "delete", "head", "options", "request", "Session"}
"""Of requests; all of them follow."""
SESSIONS = {"transport.py", "storage/sessions.py"}
SDK = {"BlobServiceClient", "TableServiceClient", "QueueServiceClient", "from_connection_string"}
MEMBERS = {"BlobClient", "ContainerClient", "QueueClient", "TableClient"}


def faults(name: str, source: str) -> list[str]:
    """The HTTP clients that a file makes otherwise than all others do."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name in FOLLOWING]
        elif isinstance(node, ast.ImportFrom):
            whole = {str(node.module), *(f"{node.module}.{each.name}" for each in node.names)}
            found += sorted(whole & FOLLOWING)
        elif isinstance(node, ast.Call):
            found += made(name, node)
    return found


def made(name: str, call: ast.Call) -> list[str]:
    """What is wrong with a client that this call makes, or with the request that it sends."""
    words = ast.unparse(call.func)
    owner, _, last = words.rpartition(".")
    given = {each.arg: ast.unparse(each.value) for each in call.keywords}
    if owner == "requests" and last in SHORTCUTS and name not in SESSIONS:
        return [words]
    if last == "request" and owner.endswith("session"):
        return [] if given.get("allow_redirects") == "False" else [words]
    if owner in {"httpx2", "openai"} and last.endswith("Client"):
        return [] if given.get("follow_redirects") == "False" else [words]
    is_sdk = last in SDK or (last in MEMBERS and not owner)
    if is_sdk and last != "from_env":
        options = given.get(None, "")  # of a `**`
        return [] if options in {"options", "NO_RETRIES"} else [words]
    return []


@pytest.mark.parametrize(
    "file", sorted((ROOT / "captioning").rglob("*.py")), ids=lambda file: file.stem
)
def test_every_client_is_made_without_redirects(file: Any) -> None:
    name = file.relative_to(ROOT / "captioning").as_posix()
    assert faults(name, file.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        "import urllib.request",
        "from urllib import request",
        "import http.client",
        "requests.get(url)",
        "session.request('GET', url)",
        "httpx2.Client()",
        "openai.DefaultHttpxClient(timeout=1)",
        "BlobServiceClient(url)",
        "QueueClient.from_connection_string(text, name)",
    ],
)
def test_a_client_that_follows_is_seen(planted: str) -> None:
    assert faults("api/images.py", planted)


def test_libcurl_is_never_told_to_follow() -> None:
    for file in (ROOT / "captioning").rglob("*.py"):
        assert "FOLLOWLOCATION" not in file.read_text("utf-8")
