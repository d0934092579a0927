"""The functions behind queues and timer, called with real messages."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import ResourceExistsError
from azure.functions.timer import TimerRequest
from azure.storage.queue import QueueClient

import function_app
from captioning.backup.files import kept
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.records.catalog import EVERYTHING
from captioning.records.layout import Layout
from captioning.storage.queues import POISON
from captioning.triggers import BLOB_DELETED
from testing.factories import pictures
from testing.factories.records import short
from testing.harness.functions import message, poison_event, settings_over, undeployed, waiting
from testing.harness.pipeline import PipelineLab
from testing.harness.storage import Storage

Function = Callable[[func.QueueMessage], None]


@pytest.fixture
def deployed(lab: PipelineLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[PipelineLab]:
    """The app over this test's storage and model."""
    with undeployed(monkeypatch) as use:
        use(**settings_over(lab))
        yield lab


@pytest.fixture
def poison(storage: Storage) -> Iterator[QueueClient]:
    """The host's poison queue, empty."""
    with QueueClient.from_connection_string(storage.connection, POISON) as queue:
        try:
            queue.create_queue()
        except ResourceExistsError:
            queue.clear_messages()
        yield queue


def event_grid(kind: str, container: str, path: str) -> dict[str, Any]:
    """An event in Event Grid's own schema."""
    return {
        "topic": "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Storage/"
        "storageAccounts/account",
        "subject": f"/blobServices/default/containers/{container}/blobs/{path}",
        "eventType": kind,
        "id": "1",
        "data": {"api": "DeleteBlob", "blobType": "BlockBlob"},
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": "2026-11-22T10:00:00Z",
    }


def cloud_event(kind: str, container: str, path: str) -> dict[str, Any]:
    """The same as a CloudEvent."""
    return {
        "specversion": "1.0",
        "source": "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Storage/"
        "storageAccounts/account",
        "subject": f"/blobServices/default/containers/{container}/blobs/{path}",
        "type": kind,
        "id": "1",
        "time": "2026-11-22T10:00:00Z",
        "data": {"api": "DeleteBlob", "blobType": "BlockBlob"},
    }


def saved(lab: PipelineLab, path: str) -> CaptionRecord:
    """A record, with or without a blob."""
    record = short(path)
    lab.storage.catalog.save(record, None)
    return record


def is_known(lab: PipelineLab, path: str) -> bool:
    return lab.storage.catalog.get(path) is not None


def test_an_image_that_waited_is_captioned(deployed: PipelineLab) -> None:
    deployed.storage.upload("2026/a b.jpg", pictures.oriented(1))
    function_app.caption_deferred(
        message(CaptionMessage("2026/a b.jpg", ticket="gone/1").to_json())
    )
    assert deployed.stored("2026/a b.jpg").record.status == "captioned"
    assert waiting(deployed.storage) == []


def test_an_image_that_is_gone_by_then_ends_the_message(deployed: PipelineLab) -> None:
    saved(deployed, "a.jpg")
    Layout(deployed.storage.table).bind(deployed.storage.images.identity())
    function_app.caption_deferred(message({"path": "a.jpg"}))
    assert not is_known(deployed, "a.jpg")


@pytest.mark.parametrize("own", [None, "photos"])
def test_an_image_that_this_container_does_not_have_keeps_its_record(
    deployed: PipelineLab, own: str | None
) -> None:
    """As under a wrong IMAGES_CONTAINER. `reconcile` finds out; the message says nothing."""
    saved(deployed, "a.jpg")
    if own:
        other = replace(deployed.storage.images.identity(), container=own)
        Layout(deployed.storage.table).bind(other)
    function_app.caption_deferred(message({"path": "a.jpg"}))
    function_app.record_poisoned_deferral(message({"path": "a.jpg"}))
    assert is_known(deployed, "a.jpg")
    assert waiting(deployed.storage) == []


@pytest.mark.parametrize(
    "gives_up",
    [
        lambda name: (function_app.record_poisoned, poison_event(name, "a.jpg")),
        lambda _: (function_app.record_poisoned_deferral, {"path": "a.jpg", "ticket": "w/1"}),
    ],
    ids=["event", "deferral"],
)
def test_what_the_host_gives_up_is_failed(
    deployed: PipelineLab, gives_up: Callable[[str], tuple[Function, Any]]
) -> None:
    blob = deployed.storage.upload("a.jpg", b"x")
    function, body = gives_up(deployed.storage.name)
    function(message(body))
    record = deployed.stored("a.jpg").record
    assert record.error is not None
    assert (record.status, record.error.code) == ("failed", "poisoned")
    assert "reprocess --status failed" in record.error.message
    assert record.image.etag == blob.etag


OTHERS: dict[str, object] = {
    "container": poison_event("others", "a.jpg"),
    "no JSON": "a.jpg",
    "no text": b"\xff\x80",
    "no object": [],
    "no container": {"FunctionId": "Host.Functions.caption_image", "BlobName": "a.jpg"},
}


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_another_apps_poison_message_is_left_to_it(
    deployed: PipelineLab, poison: QueueClient, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    """It is put back, hidden, and the call succeeds: raising would have it tried for seven days."""
    deployed.storage.upload("a.jpg", b"x")
    for _ in range(3):
        function_app.record_poisoned(message(body))
    assert not is_known(deployed, "a.jpg")
    assert poison.get_queue_properties().approximate_message_count == 3
    assert poison.receive_message() is None
    said = [r for r in caplog.records if r.name.startswith("captioning")]
    assert [(r.levelno, "a.jpg" in r.getMessage()) for r in said] == [(logging.WARNING, False)]


def test_another_functions_poison_message_says_nothing_about_our_image(
    deployed: PipelineLab, poison: QueueClient
) -> None:
    deployed.storage.upload("a.jpg", b"x")
    event = poison_event(deployed.storage.name, "a.jpg")
    function_app.record_poisoned(message(event | {"FunctionId": "Host.Functions.resize_image"}))
    assert not is_known(deployed, "a.jpg")
    assert poison.get_queue_properties().approximate_message_count == 1
    named_after_the_app = {"FunctionId": "our-app.Functions.caption_image"}
    function_app.record_poisoned(message(event | named_after_the_app))
    assert is_known(deployed, "a.jpg")


@pytest.mark.parametrize("event", [event_grid, cloud_event])
@pytest.mark.parametrize("path", ["2026/a b.jpg", "100%25.jpg", "a/blobs/b.jpg"])
def test_the_record_of_a_deleted_image_goes(
    deployed: PipelineLab, event: Callable[[str, str, str], dict[str, Any]], path: str
) -> None:
    saved(deployed, path)
    function_app.forget_image(message(event(BLOB_DELETED, deployed.storage.name, path)))
    assert not is_known(deployed, path)
    assert deployed.storage.catalog.search(EVERYTHING, 1).records == ()


@pytest.mark.parametrize("event", [event_grid, cloud_event])
def test_other_events_and_containers_change_nothing(
    deployed: PipelineLab, event: Callable[[str, str, str], dict[str, Any]]
) -> None:
    name = deployed.storage.name
    saved(deployed, "a.jpg")
    function_app.forget_image(message(event("Microsoft.Storage.BlobCreated", name, "a.jpg")))
    function_app.forget_image(message(event(BLOB_DELETED, f"{name}-archive", "a.jpg")))
    assert is_known(deployed, "a.jpg")


def test_an_image_that_was_uploaded_again_keeps_its_record(deployed: PipelineLab) -> None:
    deployed.storage.upload("a.jpg", b"x")
    saved(deployed, "a.jpg")
    event = event_grid(BLOB_DELETED, deployed.storage.name, "a.jpg")
    function_app.forget_image(message([event]))
    assert is_known(deployed, "a.jpg")


WAKES: dict[str, tuple[object, str]] = {
    "no JSON": ("a.jpg", "Expecting value"),
    "no text": (b"\xff\x80", "utf-8"),
    "no object": ([], "needs a `path`"),
    "no path": ({"blob": "a.jpg"}, "needs a `path`"),
    "a number": ({"path": 1}, "needs a `path`"),
    "a ticket": ({"path": "a.jpg", "ticket": 1}, "`ticket` and `afresh` are text"),
}
EVENTS: dict[str, tuple[object, str]] = {
    "no JSON": ("a.jpg", "is not JSON"),
    "no text": (b"\xff\x80", "is not JSON"),
    "two": ([{}, {}], "holds 2 events"),
    "no type": ({"subject": "x"}, "has no `type`"),
    "no subject": ({"type": BLOB_DELETED}, "has no `subject`"),
    "no blob": ({"type": BLOB_DELETED, "subject": "/x"}, "`subject` is not"),
}
NOTICES: dict[str, tuple[object, str]] = {
    "no JSON": ("a.jpg", "Expecting value"),
    "no object": ([], "needs a `path`"),
    "no path": ({"updated": "2026-11-22T10:00:00+00:00"}, "needs a `path`"),
    "no time": ({"path": "a.jpg"}, "needs `updated`"),
    "another time": ({"path": "a.jpg", "updated": "a.jpg"}, "`updated` is a time"),
    "no zone": ({"path": "a.jpg", "updated": "2026-11-22T10:00:00"}, "with its zone"),
    "attempts": (
        {"path": "a.jpg", "updated": "2026-11-22T10:00:00+00:00", "attempts": "a.jpg"},
        "`attempts` is a number",
    ),
}
READERS: dict[str, tuple[Function, dict[str, tuple[object, str]]]] = {
    "caption_deferred": (function_app.caption_deferred, WAKES),
    "forget_image": (function_app.forget_image, EVENTS),
    "notify": (function_app.notify, NOTICES),
}
MALFORMED = [
    pytest.param(function, body, said, id=f"{name}: {case}")
    for name, (function, cases) in READERS.items()
    for case, (body, said) in cases.items()
]


@pytest.mark.parametrize(("function", "body", "said"), MALFORMED)
def test_a_malformed_message_is_kept_and_named(
    deployed: PipelineLab, function: Function, body: object, said: str
) -> None:
    """It raises, so the host puts it on the poison queue; its text is in no log."""
    with pytest.raises(ValueError, match=said) as caught:
        function(message(body))
    assert "a.jpg" not in str(caught.value)


@pytest.mark.parametrize("body", [body for body, _ in WAKES.values()], ids=WAKES)
def test_a_malformed_message_of_the_deferrals_poison_queue_ends(
    deployed: PipelineLab, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing else reads that queue, and raising would have it tried for ever."""
    function_app.record_poisoned_deferral(message(body))
    [said] = [r for r in caplog.records if r.name.startswith("captioning")]
    assert (said.levelno, "a.jpg" in said.getMessage()) == (logging.ERROR, False)


def test_the_round_marks_the_records_of_deleted_images(deployed: PipelineLab) -> None:
    saved(deployed, "gone.jpg")
    deployed.storage.upload("there.jpg", pictures.oriented(1))
    function_app.caption_deferred(message({"path": "there.jpg"}))
    function_app.reconcile(TimerRequest(past_due=False))
    assert function_app.services().reconciler._missing.all().keys() == {"gone.jpg"}
    assert is_known(deployed, "gone.jpg")
    assert is_known(deployed, "there.jpg")


def test_the_night_s_timer_backs_up_all_records(deployed: PipelineLab) -> None:
    assert deployed.storage.backups
    saved(deployed, "a.jpg")
    function_app.back_up(TimerRequest(past_due=False))
    [(name, records)] = kept(deployed.storage.backups)
    assert (name, records) == (f"{datetime.now(UTC):%Y-%m-%d}", 1)
    assert function_app.services().backup.lateness() is None


def test_health_tells_of_a_late_backup(deployed: PipelineLab) -> None:
    services = function_app.services()
    services._state.put("backup", "nightly", {"since": "2026-01-01T00:00:00+00:00"})
    health = services.api.health.get_health()
    assert json.loads(health.body)["parts"]["backup"] == "late"


def test_the_round_says_what_is_spent_of_a_budget(
    deployed: PipelineLab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DAILY_BUDGET_USD", "5")
    with caplog.at_level(logging.INFO, "captioning"):
        function_app.reconcile(TimerRequest(past_due=False))
    events = [json.loads(r.getMessage())["event"] for r in caplog.records if r.msg[:1] == "{"]
    assert events == ["budget", "reconcile"]
