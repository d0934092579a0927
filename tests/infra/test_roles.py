"""Who may do what: each role is used by calls in the code, and each call has its role.

Azurite checks no roles, so the code is read: CALLS maps what it calls, in the modules that use the
SDKs or send requests of their own, to the role that Azure requires for it.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from itertools import chain

import pytest

from captioning.app.clients import MODEL_SCOPE, VISION_SCOPE
from captioning.storage.authorization import SCOPE
from testing.harness.bicep import INFRA
from testing.harness.deployment import WHOLE, Deployment, deployment
from testing.paths import ROOT

ROLE_IDS = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Queue Data Message Sender": "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Cognitive Services User": "a97b65f3-24c7-4388-baec-2e87135dc908",
    "Cognitive Services OpenAI User": "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
}
"""As Azure's documentation of built-in roles gives them."""

BLOBS, QUEUES, TABLES = (f"Storage {kind} Data Contributor" for kind in ("Blob", "Queue", "Table"))
CALLS = {
    "storage/blobs": {
        "get_blob_properties": BLOBS,
        "download_blob": BLOBS,
        "upload_blob": BLOBS,
        "list_blobs": BLOBS,
        "exists": BLOBS,
        "delete_blob": BLOBS,
        "get_container_properties": BLOBS,
        "set_container_metadata": BLOBS,
    },
    "storage/backups": {
        "walk_blobs": BLOBS,
        "list_blobs": BLOBS,
        "upload_blob": BLOBS,
        "download_blob": BLOBS,
        "delete_blob": BLOBS,
    },
    "storage/queues": {"send_message": QUEUES, "get_queue_properties": QUEUES},
    "storage/tables": {
        "get_entity": TABLES,
        "query_entities": TABLES,
        "list_entities": TABLES,
        "delete_table": TABLES,
    },
    "storage/table_rest": {"send": TABLES},
    "budget/table": {},
    "vision/client": {"post": "Cognitive Services User"},
    "captioner/client": {"post": "Cognitive Services OpenAI User"},
}
WITHOUT_A_ROLE = {
    "create_container": "on a laptop only: the infrastructure makes it",
    "create_queue": "the same",
    "create_table_if_not_exists": "the same",
}
OF_THE_HOST = {
    (
        "host account",
        "Storage Blob Data Owner",
    ): "AzureWebJobsStorage: keys, locks, timers, package",
    ("host account", QUEUES): "AzureWebJobsStorage: the queue of blob events",
    ("host account", TABLES): "AzureWebJobsStorage: diagnostic events",
    ("insights", "Monitoring Metrics Publisher"): "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}
"""What no call of ours needs: the host does it by the app's identity."""


def place(found: Deployment, resource_id: str) -> str:
    """What a role is given on: `images account/containers/images`, `vision`…"""
    settings = found.settings()
    accounts = {
        settings[f"{name}__blobServiceUri"].split("/")[2].split(".")[0]: what
        for name, what in (("ImageStorage", "images"), ("AzureWebJobsStorage", "host account"))
    }
    endpoints = {
        settings[name].split("/")[2].split(".")[0]: what
        for name, what in (("VISION_ENDPOINT", "vision"), ("AZURE_OPENAI_ENDPOINT", "model"))
    }
    scope = resource_id.partition("/providers/Microsoft.Authorization")[0]
    provider, *rest = scope.rpartition("/providers/")[2].split("/")
    if provider == "Microsoft.Storage":
        return "/".join([accounts[rest[1]], *rest[4:]])
    return "insights" if provider == "Microsoft.Insights" else endpoints[rest[1]]


def given(name: str) -> dict[str, set[tuple[str, str]]]:
    """Places and roles by who has them: the app, the topic, the operator."""
    found = deployment(name)
    roles = {role_id: role for role, role_id in ROLE_IDS.items()}
    assignments: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for resource in found.of("Authorization/roleAssignments"):
        properties = resource["properties"]
        who = {"id": "app", "evgt": "topic"}.get(properties["principalId"].split("-")[0], "person")
        role = roles[properties["roleDefinitionId"].rpartition("/")[2]]
        assert (place(found, resource["id"]), role) not in assignments[who]
        assignments[who].add((place(found, resource["id"]), role))
    return assignments


def called(module: str) -> set[str]:
    """Names of the methods that a module calls on something."""
    tree = ast.parse((ROOT / f"captioning/{module}.py").read_text("utf-8"))
    return {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


@pytest.mark.parametrize("name", WHOLE)
def test_the_app_has_a_role_for_all_that_it_calls_and_no_other(name: str) -> None:
    found = deployment(name)
    needed = {
        CALLS[module][call] for module in CALLS for call in called(module) & CALLS[module].keys()
    }
    kinds = {
        "containers": (
            BLOBS,
            {found.settings()["IMAGES_CONTAINER"] + end for end in ("", "-thumbnails", "-backup")},
        ),
        "queues": (QUEUES, found.names("Storage/storageAccounts/queueServices/queues")),
        "tables": (TABLES, found.names("Storage/storageAccounts/tableServices/tables")),
    }
    expected = {
        (f"images/{kind}/{one}", role)
        for kind, (role, names) in kinds.items()
        for one in names
        if role in needed
    }
    services = {("vision", "Cognitive Services User"), ("model", "Cognitive Services OpenAI User")}
    expected |= {(place, role) for place, role in services if role in needed}
    assert given(name)["app"] == expected | OF_THE_HOST.keys()


def test_every_call_to_storage_and_services_is_mapped() -> None:
    """A method of an SDK that is called and not listed above would have no role."""
    from azure.data.tables import TableClient, TableServiceClient
    from azure.storage.blob import BlobClient, ContainerClient
    from azure.storage.queue import QueueClient

    clients = {
        "storage/blobs": (BlobClient, ContainerClient),
        "storage/backups": (ContainerClient,),
        "storage/queues": (QueueClient,),
        "storage/tables": (TableClient, TableServiceClient),
        "budget/table": (TableClient,),
    }
    local = re.compile(r"close|from_connection_string|get_\w+_client|name$")
    for module, kinds in clients.items():
        offered = set(chain.from_iterable(dir(kind) for kind in kinds))
        asked = {call for call in called(module) & offered if not local.match(call)}
        own = {
            node.name
            for node in ast.walk(ast.parse((ROOT / f"captioning/{module}.py").read_text("utf-8")))
            if isinstance(node, ast.FunctionDef)
        }
        assert asked - own <= CALLS[module].keys() | WITHOUT_A_ROLE.keys(), module


@pytest.mark.parametrize("module", CALLS)
def test_every_call_that_is_mapped_is_made(module: str) -> None:
    """A role that only a removed call needs would be given for nothing."""
    assert CALLS[module].keys() <= called(module)


def test_tokens_are_for_the_services_that_roles_are_given_on() -> None:
    assert VISION_SCOPE == "https://cognitiveservices.azure.com/.default"
    assert MODEL_SCOPE == "https://ai.azure.com/.default"
    assert SCOPE == "https://storage.azure.com/.default"


@pytest.mark.parametrize("name", WHOLE)
def test_the_app_can_make_nothing_where_the_images_are(name: str) -> None:
    """Every role there is on one container, queue or table, never on the account."""
    there = [place for place, _ in given(name)["app"] if place.startswith("images")]
    assert there
    assert all(place.count("/") == 2 for place in there)


@pytest.mark.parametrize("name", WHOLE)
def test_event_grid_may_deliver_and_no_more(name: str) -> None:
    assert given(name)["topic"] == {
        ("images/queues/image-deleted", "Storage Queue Data Message Sender"),
        ("images/containers/dead-letters", BLOBS),
    }


def test_the_operator_may_use_the_command_line() -> None:
    person = given("new")["person"]
    assert {role for _, role in person} == {BLOBS, QUEUES, TABLES}
    assert all(place.startswith("images/") for place, _ in person)
    assert ("images/queues/caption-deferred", QUEUES) in person
    assert not given("no-budget")["person"]


def test_every_assignment_has_its_reason() -> None:
    for resource in deployment("new").of("Authorization/roleAssignments"):
        assert re.fullmatch(r"[A-Z].{20,}\.", resource["properties"]["description"])


def test_an_existing_account_is_given_a_role_where_it_is() -> None:
    theirs = [
        resource["id"]
        for resource in deployment("existing").resources
        if "/resourceGroups/rg-ai/" in resource["id"]
    ]
    assert len(theirs) == 2
    assert all("/roleAssignments/" in resource_id for resource_id in theirs)
    assert not deployment("existing").of("CognitiveServices/accounts")
    assert not deployment("existing").of("CognitiveServices/accounts/deployments")


def test_the_roles_are_what_their_names_say() -> None:
    text = (INFRA / "roles.bicep").read_text("utf-8")
    assert (
        dict(re.findall(r"^  '([A-Z][\w ]+)': '([0-9a-f-]{36})'", text, re.MULTILINE)) == ROLE_IDS
    )
    assert "roleAssignments@" not in "".join(
        file.read_text("utf-8")
        for file in INFRA.glob("*.bicep")
        if file.name not in {"roles.bicep", "account-role.bicep"}
    )
