"""The messages of the host and of Event Grid, in their documented shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from captioning.triggers import deleted_blob, poisoned_path

POISON = {
    "Type": "BlobTrigger",
    "FunctionId": "Host.Functions.caption_image",
    "BlobType": "BlockBlob",
    "ContainerName": "images",
    "BlobName": '2026/"beach" day 🏖.jpg',
    "ETag": "0x8DCE1B5AC2A1B5F",
}

# As documented: learn.microsoft.com/azure/event-grid/event-schema-blob-storage
EVENT_GRID = {
    "topic": "/subscriptions/{subscription-id}/resourceGroups/Storage/providers/"
    "Microsoft.Storage/storageAccounts/my-storage-account",
    "subject": "/blobServices/default/containers/testcontainer/blobs/file-to-delete.txt",
    "eventType": "Microsoft.Storage.BlobDeleted",
    "eventTime": "2017-11-07T20:09:22.5674003Z",
    "id": "4c2359fe-001e-00ba-0e04-58586806d298",
    "data": {
        "api": "DeleteBlob",
        "requestId": "4c2359fe-001e-00ba-0e04-585868000000",
        "contentType": "text/plain",
        "blobType": "BlockBlob",
        "url": "https://my-storage-account.blob.core.windows.net/testcontainer/file-to-delete.txt",
        "sequencer": "0000000000000281000000000002F5CA",
        "storageDiagnostics": {"batchId": "b68529f3-68cd-4744-baa4-3c0498ec19f0"},
    },
    "dataVersion": "",
    "metadataVersion": "1",
}
CLOUD_EVENT = {
    "source": EVENT_GRID["topic"],
    "subject": EVENT_GRID["subject"],
    "type": "Microsoft.Storage.BlobDeleted",
    "time": EVENT_GRID["eventTime"],
    "id": EVENT_GRID["id"],
    "data": EVENT_GRID["data"],
    "specversion": "1.0",
}


def test_the_poison_message_of_the_host() -> None:
    assert poisoned_path(json.dumps(POISON), "images") == '2026/"beach" day 🏖.jpg'
    assert poisoned_path(json.dumps(POISON, indent=2).encode(), "images") == POISON["BlobName"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        b"\xff\xfe\x00",
        "[]",
        json.dumps({**POISON, "BlobName": ""}),
        json.dumps({**POISON, "ContainerName": 3}),
        json.dumps({**POISON, "ContainerName": "images-archive"}),
        json.dumps({**POISON, "FunctionId": "Host.Functions.caption_images"}),
        json.dumps({**POISON, "FunctionId": None}),
    ],
)
def test_a_poison_message_that_is_not_ours(text: str | bytes) -> None:
    assert poisoned_path(text, "images") is None


@pytest.mark.parametrize("event", [EVENT_GRID, CLOUD_EVENT], ids=["event grid", "cloud event"])
def test_a_deletion_in_both_schemas(event: dict[str, Any]) -> None:
    for body in (event, [event]):
        assert deleted_blob(json.dumps(body)) == ("testcontainer", "file-to-delete.txt")
        assert deleted_blob(json.dumps(body).encode()) == ("testcontainer", "file-to-delete.txt")


@pytest.mark.parametrize(
    "path", ["a/blobs/b.jpg", "100%41 %2F.jpg", "#?.jpg", "🏖/ä.jpg", "blobs/", "/a.jpg"]
)
def test_a_path_is_taken_as_it_is(path: str) -> None:
    subject = f"/blobServices/default/containers/images/blobs/{path}"
    assert deleted_blob(json.dumps({**EVENT_GRID, "subject": subject})) == ("images", path)


@pytest.mark.parametrize(
    "event",
    [
        {**EVENT_GRID, "eventType": "Microsoft.Storage.BlobCreated"},
        {**CLOUD_EVENT, "type": "Microsoft.Storage.BlobTierChanged"},
        {"eventType": "Microsoft.EventGrid.SubscriptionDeletedEvent", "subject": ""},
    ],
)
def test_other_events_are_none_of_ours(event: dict[str, Any]) -> None:
    assert deleted_blob(json.dumps(event)) is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ([], "the message holds 0 events; one is expected"),
        ([EVENT_GRID, EVENT_GRID], "the message holds 2 events; one is expected"),
        (["x"], "the message is not a JSON object"),
        ({"id": "1"}, "the message has no `type`"),
        ({**EVENT_GRID, "subject": None}, "the message has no `subject`"),
        *(
            ({**EVENT_GRID, "subject": subject}, "the event's `subject` is not /blobServices/")
            for subject in (
                "images/blobs/a.jpg",
                "/blobServices/default/containers/images",
                "/blobServices/default/containers/images/blobs/",
                "/blobServices/default/containers//blobs/a.jpg",
            )
        ),
    ],
)
def test_an_event_that_is_none(body: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}"):
        deleted_blob(json.dumps(body))
