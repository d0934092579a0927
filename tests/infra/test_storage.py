"""Everything that the app reads and writes is there before it starts: it makes nothing itself."""

from __future__ import annotations

import uuid

import pytest
from azure.core.credentials import TokenCredential
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from captioning.app.storage import TABLES, StorageAccount
from captioning.config.settings import Settings
from testing.harness.bindings import bindings
from testing.harness.deployment import WHOLE, Deployment, Resource, deployment

Names = dict[str, set[str]]
KINDS = {
    "containers": "Storage/storageAccounts/blobServices/containers",
    "queues": "Storage/storageAccounts/queueServices/queues",
    "tables": "Storage/storageAccounts/tableServices/tables",
}
BESIDE_THE_APPS = {
    "dead-letters": "Event Grid puts events there that it could not deliver",
    "image-deleted-poison": "the host puts messages of image-deleted there that it gave up",
    "caption-notify-poison": "the same of caption-notify",
}
"""What nobody asks the app to make, or to listen to."""


def made(found: Deployment) -> Names:
    """What the template makes in the account with the images."""
    account = found.settings()["ImageStorage__blobServiceUri"].split("/")[2].split(".")[0]
    return {
        kind: {r["name"].rpartition("/")[2] for r in found.of(t) if f"/{account}/" in r["id"]}
        for kind, t in KINDS.items()
    }


def no_credential() -> TokenCredential:
    raise AssertionError("Azurite takes a connection string")


def made_by_the_app(connection: str) -> Names:
    """What the app makes on a laptop, where it makes what is missing: under a name of this test's
    own, which stands for `images` and `captions`."""
    name = f"t{uuid.uuid4().hex[:12]}"
    settings = deployment("new").settings()
    own = {n: v for n, v in settings.items() if not n.startswith("ImageStorage__")}
    own |= {"ImageStorage": connection, "IMAGES_CONTAINER": name, "CAPTIONS_TABLE": name}
    account = StorageAccount(Settings.from_environ(own), no_credential)
    try:
        account.create()
    finally:
        account.close()
    with (
        BlobServiceClient.from_connection_string(connection) as blobs,
        QueueServiceClient.from_connection_string(connection) as queues,
        TableServiceClient.from_connection_string(connection) as tables,
    ):
        containers = {str(one.name) for one in blobs.list_containers(name)}
        return {
            "containers": {one.replace(name, "images") for one in containers},
            "queues": {str(one.name).removeprefix(f"{name}-") for one in queues.list_queues(name)},
            "tables": {
                one.name.replace(name, "captions")
                for one in tables.list_tables()
                if one.name.startswith(name)
            },
        }


def test_nothing_is_left_for_the_app_to_make(azurite: str) -> None:
    wanted, there = made_by_the_app(azurite), made(deployment("new"))
    assert wanted["tables"] == {f"captions{kind}" for kind in TABLES}
    for kind, names in wanted.items():
        assert names, kind
        assert names <= there[kind], kind


@pytest.mark.parametrize("name", WHOLE)
def test_every_queue_that_a_function_listens_to_is_there(name: str) -> None:
    listened = {binding["queueName"] for binding in bindings("queueTrigger").values()}
    assert listened <= made(deployment(name))["queues"]


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_is_made_without_a_use(name: str) -> None:
    there, settings = made(deployment(name)), deployment(name).settings()
    images = settings["IMAGES_CONTAINER"]
    listened = {binding["queueName"] for binding in bindings("queueTrigger").values()}
    assert there["tables"] == {f"{settings['CAPTIONS_TABLE']}{kind}" for kind in TABLES}
    assert there["queues"] - BESIDE_THE_APPS.keys() == listened
    assert there["containers"] - BESIDE_THE_APPS.keys() == {
        *(images, f"{images}-thumbnails", f"{images}-backup"),
    }


@pytest.mark.parametrize("name", WHOLE)
def test_the_host_has_an_account_of_its_own(name: str) -> None:
    """It must be able to make containers there; the app must not, where the images are."""
    settings = deployment(name).settings()
    services = ("blob", "queue", "table")
    hosts = {settings[f"AzureWebJobsStorage__{service}ServiceUri"] for service in services}
    apps = {settings[f"ImageStorage__{service}ServiceUri"] for service in services}
    accounts = [{uri.split("/")[2].split(".")[0] for uri in uris} for uris in (hosts, apps)]
    assert [len(found) for found in accounts] == [1, 1]
    assert accounts[0] != accounts[1]
    assert accounts[0] | accounts[1] == deployment(name).names("Storage/storageAccounts")


def account_of(resource: Resource) -> str:
    return str(resource["name"].partition("/")[0])


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_deleted_or_overwritten_can_be_brought_back_for_two_weeks(name: str) -> None:
    """Where the images are, and for a bounded time: versions would stay for ever."""
    found = deployment(name)
    images = found.settings()["ImageStorage__blobServiceUri"].split("/")[2].split(".")[0]
    [blobs] = [
        resource["properties"]
        for resource in found.of("Storage/storageAccounts/blobServices")
        if account_of(resource) == images
    ]
    two_weeks = {"enabled": True, "days": 14}
    assert blobs["isVersioningEnabled"] is True
    assert blobs["deleteRetentionPolicy"] == two_weeks
    assert blobs["containerDeleteRetentionPolicy"] == two_weeks
    lifecycle = found.one("Storage/storageAccounts/managementPolicies")
    assert account_of(lifecycle) == images
    [rule] = lifecycle["properties"]["policy"]["rules"]
    assert rule["enabled"] is True
    assert rule["definition"]["filters"] == {"blobTypes": ["blockBlob"]}  # in every container
    days = {"daysAfterCreationGreaterThan": 1}
    assert rule["definition"]["actions"] == {"version": {"delete": days}}  # never current ones


def test_the_account_is_locked_where_that_is_asked_for() -> None:
    lock = deployment("elsewhere").one("Authorization/locks")
    images = deployment("elsewhere").settings()["ImageStorage__blobServiceUri"]
    assert lock["properties"]["level"] == "CanNotDelete"
    assert f"/storageAccounts/{images.split('/')[2].split('.')[0]}/" in lock["id"]
    assert not deployment("new").of("Authorization/locks")


@pytest.mark.parametrize("name", WHOLE)
def test_the_code_is_deployed_to_a_container_that_is_there(name: str) -> None:
    found = deployment(name)
    deployed = found.one("Web/sites")["properties"]["functionAppConfig"]["deployment"]["storage"]
    hosts = found.settings()["AzureWebJobsStorage__blobServiceUri"]
    address, _, container = deployed["value"].rpartition("/")
    assert address == hosts
    account = hosts.split("/")[2].split(".")[0]
    assert f"{account}/default/{container}" in {r["name"] for r in found.of(KINDS["containers"])}
    assert deployed["authentication"]["type"] == "UserAssignedIdentity"
