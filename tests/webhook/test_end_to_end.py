"""The webhook as a whole: from the blob's event over storage and wire to a receiver that verifies,
with the receiver's code that the documentation shows."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from azure.storage.queue import QueueClient, QueueServiceClient, TextBase64DecodePolicy

import function_app
from captioning.domain.messages import NotificationMessage
from captioning.webhook import sender
from testing.factories import pictures
from testing.fakes.webhook_receiver import SECRET
from testing.harness.functions import (
    call,
    document,
    message,
    poison_event,
    settings_over,
    undeployed,
)
from testing.harness.pipeline import PipelineLab
from testing.markdown import USE, section
from testing.services.server import Received, Reply, WireServer

Verify = Callable[[str, dict[str, str], bytes, set[str]], bool]


class Deployed:
    """The app over this test's storage and model, and a receiver at the wire."""

    def __init__(self, lab: PipelineLab, server: WireServer, use: Callable[..., None]) -> None:
        self.lab, self.server = lab, server
        self.use = use

    def turn_on(self) -> None:
        self.use(NOTIFY_URL=f"{self.server.url}/t0ken", NOTIFY_KEY=SECRET)

    def event(self, path: str, data: bytes) -> None:
        self.lab.storage.upload(path, data)
        function_app.caption_deferred(message({"path": path}))

    def waiting(self) -> list[NotificationMessage]:
        """What can be seen on the queue."""
        name = f"{self.lab.storage.name}-caption-notify"
        with QueueClient.from_connection_string(
            self.lab.storage.connection, name, message_decode_policy=TextBase64DecodePolicy()
        ) as queue:
            return [
                NotificationMessage.from_json(found.content) for found in queue.peek_messages(32)
            ]


@pytest.fixture
def deployed(lab: PipelineLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    monkeypatch.setattr("captioning.webhook.outbox.FIRST_LOOK", 0.0)
    with ExitStack() as stack:
        server = stack.enter_context(WireServer(lambda _: Reply(204)))
        use = stack.enter_context(undeployed(monkeypatch))
        use(**settings_over(lab))
        yield Deployed(lab, server, use)


@pytest.fixture(scope="module")
def verify() -> Verify:
    """The function of the documentation."""
    [code] = re.findall(r"```python\n(.*?)```", section(USE, "What is sent"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    verified: Verify = names["verified"]
    return verified


def genuine(verify: Verify, received: Received, secret: str = SECRET) -> bool:
    return verify(secret, received.headers, received.body, set())


def test_a_receiver_gets_the_record_and_can_verify_it(
    deployed: Deployed, verify: Verify, caplog: pytest.LogCaptureFixture
) -> None:
    deployed.turn_on()
    with caplog.at_level(logging.DEBUG, "captioning"):
        deployed.event("2026/a b.jpg", pictures.oriented(1))
        deployed.event("notes.txt", b"Dear diary.")
        function_app.record_poisoned(message(poison(deployed, "poisoned.jpg")))
        for notice in deployed.waiting():
            function_app.notify(message(notice.to_json()))
    told = {received.json()["data"]["path"]: received for received in deployed.server.received}
    types = {path: received.json()["type"] for path, received in told.items()}
    assert types == {
        "2026/a b.jpg": "image.captioned",
        "notes.txt": "image.rejected",
        "poisoned.jpg": "image.failed",
    }
    for path, received in told.items():
        assert received.json()["data"] == deployed.lab.stored(path).record.to_json()
        assert received.path == "/t0ken"
        assert genuine(verify, received)
    assert "t0ken" not in caplog.text
    assert SECRET not in caplog.text


def poison(deployed: Deployed, path: str) -> dict[str, str]:
    """A blob that the host gave up."""
    deployed.lab.storage.upload(path, b"x")
    return poison_event(deployed.lab.storage.name, path)


def test_what_is_tampered_with_or_old_or_seen_is_not_genuine(
    deployed: Deployed, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.turn_on()
    deployed.event("notes.txt", b"Dear diary.")
    [notice] = deployed.waiting()
    function_app.notify(message(notice.to_json()))
    function_app.notify(message(notice.to_json()))
    first, second = deployed.server.received
    seen: set[str] = set()
    assert [verify(SECRET, each.headers, each.body, seen) for each in (first, second)] == [
        True,
        False,
    ]
    changed = Received(first.method, first.path, [], first.headers, first.body + b" ")
    assert not genuine(verify, changed)
    assert not genuine(verify, first, "whsec_" + "A" * 32)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3_600)
    assert not genuine(verify, first)


def test_a_receiver_that_is_down_gets_it_later_and_health_tells(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captioning.api.health.KEPT", timedelta())
    deployed.turn_on()
    assert health() == ("ok", "ok")
    deployed.event("notes.txt", b"Dear diary.")
    deployed.server.faults.append(Reply(404))
    [notice] = deployed.waiting()
    function_app.notify(message(notice.to_json()))
    assert health() == ("degraded", "failing")
    monkeypatch.setattr(sender, "PATIENCE", 0.0)
    function_app.notify(message(notice.to_json()))
    assert len(deployed.server.received) == 1, "the gate is closed"


def health() -> tuple[str, str | None]:
    told = document(call(function_app.health))
    return told["status"], told["parts"].get("webhook")


def test_without_a_receiver_there_is_no_queue_and_no_word_of_it(
    deployed: Deployed, caplog: pytest.LogCaptureFixture
) -> None:
    deployed.event("notes.txt", b"Dear diary.")
    assert health() == ("ok", None)
    storage = deployed.lab.storage
    with QueueServiceClient.from_connection_string(storage.connection) as queues:
        named = [queue.name for queue in queues.list_queues(storage.name)]
    assert named == [f"{storage.name}-caption-deferred"]
    notice = NotificationMessage("notes.txt", deployed.lab.stored("notes.txt").record.updated)
    function_app.notify(message(notice.to_json()))
    assert "is dropped" in caplog.text
    assert deployed.server.received == []
