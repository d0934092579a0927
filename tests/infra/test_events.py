"""Event Grid tells the app of its images, of all of them and of nothing else."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from captioning.triggers import BLOB_DELETED, SUBJECT
from testing.harness.bindings import bindings
from testing.harness.deployment import WHOLE, Deployment, deployment

SUBSCRIPTION = "EventGrid/systemTopics/eventSubscriptions"


def subscription(found: Deployment, name: str) -> dict[str, Any]:
    """The properties of a subscription."""
    [one] = [r for r in found.of(SUBSCRIPTION) if r["name"].endswith(f"/{name}")]
    properties: dict[str, Any] = one["properties"]
    return properties


def test_new_images_go_to_the_function_that_there_is() -> None:
    """A wrong name passes the handshake, and every event is lost without a word."""
    destination = subscription(deployment("webhook"), "created")["destination"]
    url = urlsplit(destination["properties"]["endpointUrl"])
    [function] = bindings("blobTrigger")
    assert destination["endpointType"] == "WebHook"
    assert (url.scheme, url.path) == ("https", "/runtime/webhooks/blobs")
    assert url.netloc == f"{deployment('new').outputs['APP_NAME']}.azurewebsites.net"
    assert parse_qs(url.query) == {
        "functionName": [f"Host.Functions.{function}"],
        "code": ["<systemKeys.blobs_extension>"],
    }


def test_only_finished_uploads_count() -> None:
    wanted = subscription(deployment("webhook"), "created")["filter"]
    assert wanted["includedEventTypes"] == ["Microsoft.Storage.BlobCreated"]
    [only] = wanted["advancedFilters"]
    assert (only["operatorType"], only["key"]) == ("StringIn", "data.api")
    assert set(only["values"]) == {"CopyBlob", "FlushWithClose", "PutBlob", "PutBlockList"}


def test_before_the_app_is_deployed_it_is_not_told_of_new_images() -> None:
    """Its key is not there yet; hooks/postdeploy sees to it."""
    assert deployment("new").names(SUBSCRIPTION) == {"deleted"}
    assert deployment("webhook").names(SUBSCRIPTION) == {"created", "deleted"}


def test_the_hook_leaves_the_other_subscription_as_it_is() -> None:
    first, second = (subscription(deployment(name), "deleted") for name in ("new", "webhook"))
    assert str(first).replace("rg-captions", "rg") == str(second)


@pytest.mark.parametrize("name", WHOLE)
def test_deleted_images_go_to_the_queue_that_a_function_listens_to(name: str) -> None:
    found = deployment(name)
    delivery = subscription(found, "deleted")["deliveryWithResourceIdentity"]
    queue = delivery["destination"]["properties"]
    account = found.settings()["ImageStorage__queueServiceUri"].split("/")[2].split(".")[0]
    assert delivery["identity"] == {"type": "SystemAssigned"}
    assert queue["queueName"] == bindings("queueTrigger")["forget_image"]["queueName"]
    assert queue["resourceId"].endswith(f"/{account}")
    assert subscription(found, "deleted")["filter"]["includedEventTypes"] == [BLOB_DELETED]


@pytest.mark.parametrize("name", [*WHOLE, "webhook"])
def test_events_of_other_containers_are_not_meant(name: str) -> None:
    """The last slash matters: `…/containers/images` begins `images-archive` as well."""
    images = "images" if name == "webhook" else deployment(name).settings()["IMAGES_CONTAINER"]
    for one in deployment(name).of(SUBSCRIPTION):
        assert one["properties"]["filter"]["subjectBeginsWith"] == f"{SUBJECT}{images}/blobs/"


@pytest.mark.parametrize("name", [*WHOLE, "webhook"])
def test_what_cannot_be_delivered_is_kept(name: str) -> None:
    for one in deployment(name).of(SUBSCRIPTION):
        letters = one["properties"]["deadLetterWithResourceIdentity"]
        assert letters["identity"] == {"type": "SystemAssigned"}
        container = letters["deadLetterDestination"]["properties"]["blobContainerName"]
        assert container in deployment("new").names(
            "Storage/storageAccounts/blobServices/containers"
        )
        assert one["properties"]["retryPolicy"] == {
            "eventTimeToLiveInMinutes": 1440,
            "maxDeliveryAttempts": 30,
        }
