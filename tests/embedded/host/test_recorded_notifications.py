"""Event Grid's notifications are treated as they were recorded (recorded/webhook.jsonl)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import azure.functions as func
import pytest
from azure.storage.blob import BlobClient, BlobServiceClient

from captioning.embedded.host.embedded_host import EmbeddedHost
from testing.harness.embedded_host import HostLab, Recorder, blob_app
from testing.harness.embedded_http import ask
from testing.harness.waiting import eventually

RECORDED = Path(__file__).parent / "recorded/webhook.jsonl"
LINES = RECORDED.read_text("utf-8").splitlines()
BLOBS = (
    "a.jpg",
    "dir/b c%41+.jpg",
    "folder/",
    "é 写.jpg",
    "a#b.jpg",
    "a?b.jpg",
    "d//e.jpg",
    "a%2Fb.jpg",
    "aA.jpg",
    "q&r=s.jpg",
    "dot.",
    "[x].jpg",
)
"""What lay in the container of the recording, beside an append blob."""


class Replay:
    """A host with the containers of the recording, whose names are made unique."""

    def __init__(self, lab: HostLab) -> None:
        self._lab = lab
        self.seen = Recorder()
        service = lab.stack.enter_context(BlobServiceClient.from_connection_string(lab.connection))
        self._blobs = service.url.rstrip("/")
        self._queue = lab.queue(f"azure-webjobs-blobtrigger-{lab.name}")
        self._queue.create_queue()
        other = service.create_container(f"{lab.name}-other")
        other.upload_blob("x.jpg", b"x")
        for name in BLOBS:
            lab.upload(name)
        lab.container.get_blob_client("app.jpg").create_append_blob()
        self.host: EmbeddedHost = lab.host(blob_app(self._call, source=func.BlobSource.EVENT_GRID))

    def _call(self, client: BlobClient) -> None:
        self.seen([client.container_name, client.blob_name])

    def case(self, line: str) -> dict[str, Any]:
        """A line of the recording for this host."""
        function = "Host.Functions.caption_image"
        for word, here in (
            ("/images/", f"/{self._lab.name}/"),
            ("/other/", f"/{self._lab.name}-other/"),
            ("{blobs}", self._blobs),
            ("{function}", function),
            ("{FUNCTION}", function.upper()),
        ):
            line = line.replace(word, here)
        case: dict[str, Any] = json.loads(line)
        names = {"images": self._lab.name, "other": f"{self._lab.name}-other"}
        case["expect"]["calls"] = [[names[c], n] for c, n in case["expect"]["calls"]]
        return case

    def send(
        self, function: str, body: object, method: str = "POST", **headers: str
    ) -> tuple[int, str]:
        """Sends a notification, and waits until its messages are done with."""
        target = f"/runtime/webhooks/blobs?functionName={function}&code=k"
        sent = None if body is None else json.dumps(body).encode()
        response, answer = ask(self.host, method, target, headers, sent)
        eventually(lambda: self._queue.get_queue_properties().approximate_message_count == 0)
        return response.status, answer.decode()


@pytest.fixture(scope="module")
def replay(azurite: str) -> Iterator[Replay]:
    with ExitStack() as stack:
        lab = HostLab(azurite, f"t{uuid4().hex[:12]}", stack)
        lab.container.create_container()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ImageStorage", azurite)
            yield Replay(lab)


@pytest.mark.parametrize("line", LINES, ids=[json.loads(line)["case"] for line in LINES])
def test_treats_notifications_as_recorded(replay: Replay, line: str) -> None:
    case, before = replay.case(line), len(replay.seen.items)
    headers, expected = case["headers"], case["expect"]
    status, body = replay.send(case["functionName"], case["body"], case["method"], **headers)
    assert (status, body) == (expected["status"], expected["body"])
    assert sorted(replay.seen.items[before:]) == sorted(expected["calls"])


@pytest.mark.parametrize(
    ("url", "called"),
    [
        ("{blobs}/images/a.jpg/", "a.jpg"),
        ("{blobs}/images//a.jpg", "a.jpg"),
        ("{blobs}/images/%2Fa.jpg%2F", "a.jpg"),
        ("{blobs}/images/a#b.jpg", "a#b.jpg"),
        ("{blobs}/images/a.jpg?x#y", "a.jpg"),
        ("{blobs}/images/", ""),
        ("{blobs}/images", ""),
        ("http://10.0.0.1/account/images/a.jpg", "a.jpg"),
        ("https://acct.blob.core.windows.net/images/q&r=s.jpg", "q&r=s.jpg"),
    ],
)
def test_reads_the_name_off_the_url(replay: Replay, url: str, called: str) -> None:
    [created] = [line for line in LINES if json.loads(line)["case"] == "created"]
    case, before = replay.case(created.replace("{blobs}/images/a.jpg", url)), len(replay.seen.items)
    assert replay.send(case["functionName"], case["body"], **case["headers"]) == (202, "")
    assert [name for _, name in replay.seen.items[before:]] == ([called] if called else [])


@pytest.mark.parametrize(
    "name", ["caption_image", "host.functions.caption_image", "Host.Functions.caption_image%20"]
)
def test_a_name_that_is_not_exactly_the_functions_is_lost(replay: Replay, name: str) -> None:
    [created] = [line for line in LINES if json.loads(line)["case"] == "created"]
    case, before = replay.case(created), len(replay.seen.items)
    assert replay.send(name, case["body"], **case["headers"]) == (202, "")
    assert replay.seen.items[before:] == []


@pytest.mark.parametrize("kind", ["", "Other", "NOTIFICATION", "UNSUBSCRIBE", "unsubscribe"])
def test_the_header_decides(replay: Replay, kind: str) -> None:
    known = kind.lower() in {"notification", "unsubscribe"}
    status, body = replay.send("any", [], **{"aeg-event-type": kind})
    assert (status, body) == (202 if known else 400, "")
