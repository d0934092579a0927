"""What the host finds in the app: names, bindings, and which route serves a request.

Indexing works once per process, and the trigger's source and the queues' names are read then: each
in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from captioning.embedded.host.functions import Function, HostConfig
from captioning.embedded.host.routing import Router
from testing.paths import ROOT

READ_AT_INDEXING = {"BLOB_TRIGGER_SOURCE", "CAPTIONS_TABLE"}
INDEX = """
import json, function_app
print(json.dumps({f.get_function_name(): [json.loads(b) for b in f.get_raw_bindings()]
                  for f in function_app.app.get_functions()}))
"""
IMPORT = """
import sys, function_app
assert function_app._services is None
print([name for name in ("openai", "PIL", "azure.data.tables", "onnxruntime",
                         "captioning.app.services", "captioning.pipeline",
                         "captioning.records.catalog") if name in sys.modules])
"""
SERVED = {
    "GET /api/captions": "list_captions",
    "GET /api/captions/": "list_captions",
    "GET /API/Captions": "list_captions",
    "GET /api/captions/a.jpg": "get_caption",
    "GET /api/captions/2026/11/beach day.jpg": "get_caption",
    "GET /api/captions/health": "get_caption",
    "GET /api/captions/sha256:" + "0" * 64: "get_caption",
    "PATCH /api/captions/a.jpg": "edit_caption",
    "PATCH /api/captions/2026/11/beach day.jpg": "edit_caption",
    "PATCH /api/captions/sha256:" + "0" * 64: "edit_caption",
    "POST /api/recaption/a.jpg": "recaption",
    "POST /api/recaption/2026/11/beach day.jpg": "recaption",
    "POST /api/recaption/sha256:" + "0" * 64: "recaption",
    "POST /api/revert/2026/11/beach day.jpg": "revert",
    "GET /api/usage": "get_usage",
    "GET /api/tags": "list_tags",
    "GET /api/images/2026/11/beach day.jpg": "get_image",
    "PUT /api/images/a.jpg": "put_image",
    "DELETE /api/images/a.jpg": "delete_image",
    "GET /api/health": "health",
    "GET /api/openapi.json": "get_openapi",
    "GET /": "gallery",
    "HEAD /": "gallery",
    "GET /web/app.js": "gallery_file",
    "HEAD /web/style.css": "gallery_file",
    "GET /web/..%2f..%2fhost.json": "gallery_file",
}
"""Requests, and the function that has to serve each."""
UNSERVED = [
    *(
        "POST /api/captions",
        "PATCH /api/captions",
        "PATCH /api/captions/",
        "DELETE /api/captions/a.jpg",
        "GET /api",
        "POST /",
        "GET /health",
    ),
    *("GET /web", "GET /web/", "GET /web/a/b.js", "POST /web/app.js", "GET /index.html"),
    *("GET /api/recaption/a.jpg", "POST /api/recaption", "POST /api/recaption/"),
    *("POST /api/usage", "GET /api/usage/a.jpg", "POST /api/tags", "GET /api/tags/dog"),
]

Bindings = dict[str, list[dict[str, Any]]]


def run(code: str, **environ: str) -> str:
    """What a fresh interpreter prints."""
    known = {name: value for name, value in os.environ.items() if name not in READ_AT_INDEXING}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=known | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@cache
def indexed(**environ: str) -> Bindings:
    """The bindings of every function by its name."""
    found: Bindings = json.loads(run(INDEX, **environ))
    return found


def misrouted(app: Bindings) -> list[str]:
    """Requests that another function serves than SERVED says, by the host's rule."""
    functions = [
        Function(name, bindings[0], print, None)
        for name, bindings in app.items()
        if bindings[0]["type"] == "httpTrigger"
    ]
    router = Router(functions, "")
    wrong = []
    for request, expected in SERVED.items():
        found = router.find(*request.split(" ", 1))
        if found is None or found[0].name != expected:
            wrong.append(request)
    return wrong + [r for r in UNSERVED if router.find(*r.split(" ", 1))]


def route(template: str, auth: str, *methods: str) -> list[dict[str, Any]]:
    trigger = {
        "direction": "IN",
        "type": "httpTrigger",
        "name": "req",
        "methods": [*(methods or ("GET",))],
        "authLevel": auth,
        "route": template,
    }
    return [trigger, {"direction": "OUT", "type": "http", "name": "$return"}]


def queue(name: str) -> list[dict[str, Any]]:
    return [
        {
            "direction": "IN",
            "type": "queueTrigger",
            "name": "message",
            "queueName": name,
            "connection": "ImageStorage",
        }
    ]


HTTP = {
    "get_caption": route("api/captions/{*path:minlength(1)}", "FUNCTION"),
    "edit_caption": route("api/captions/{*path:minlength(1)}", "FUNCTION", "PATCH"),
    "list_captions": route("api/captions", "FUNCTION"),
    "get_image": route("api/images/{*path:minlength(1)}", "FUNCTION"),
    "put_image": route("api/images/{*path:minlength(1)}", "FUNCTION", "PUT"),
    "delete_image": route("api/images/{*path:minlength(1)}", "FUNCTION", "DELETE"),
    "list_tags": route("api/tags", "FUNCTION"),
    "recaption": route("api/recaption/{*path:minlength(1)}", "FUNCTION", "POST"),
    "revert": route("api/revert/{*path:minlength(1)}", "FUNCTION", "POST"),
    "get_usage": route("api/usage", "FUNCTION"),
    "health": route("api/health", "ANONYMOUS"),
    "get_openapi": route("api/openapi.json", "ANONYMOUS"),
    "gallery": route("{ignored:maxlength(0)?}", "ANONYMOUS", "GET", "HEAD"),
    "gallery_file": route("web/{path}", "ANONYMOUS", "GET", "HEAD"),
}
QUEUES = {
    "caption_deferred": "caption-deferred",
    "record_poisoned": "webjobs-blobtrigger-poison",
    "record_poisoned_deferral": "caption-deferred-poison",
    "forget_image": "image-deleted",
    "notify": "caption-notify",
}
"""The queues beside the usual table. The poison queues' names are the host's."""
OTHERS = {"caption_image", "reconcile", "back_up"}
TOOLS = {
    "find_images": {"query": "string", "tags": "string[]", "limit": "integer"},
    "describe_image": {"path": "string!"},
}
"""What assistants can call, and the arguments that each takes; required ones with `!`."""


@pytest.mark.parametrize(
    ("setting", "source"),
    [
        ({}, "EventGrid"),
        ({"BLOB_TRIGGER_SOURCE": "EventGrid"}, "EventGrid"),
        ({"BLOB_TRIGGER_SOURCE": "LogsAndContainerScan"}, "LogsAndContainerScan"),
    ],
)
def test_the_blob_trigger_is_what_the_event_subscription_names(
    setting: dict[str, str], source: str
) -> None:
    [binding] = indexed(**setting)["caption_image"]
    binding.get("properties", {}).pop("supportsDeferredBinding", None)
    assert {name: value for name, value in binding.items() if name != "properties"} == {
        "direction": "IN",
        "type": "blobTrigger",
        "name": "image",
        "path": "%IMAGES_CONTAINER%/{name}",
        "connection": "ImageStorage",
        "source": source,
    }


def test_the_http_functions_have_their_routes_methods_and_keys() -> None:
    assert {name: bindings for name, bindings in indexed().items() if name in HTTP} == HTTP


@pytest.mark.parametrize("table", ["", "captions", "no table"])
def test_the_queue_functions_listen_to_their_queues(table: str) -> None:
    """Also where a setting is bad: indexing goes on, and health names it."""
    found = indexed(CAPTIONS_TABLE=table)
    assert {name: found[name] for name in QUEUES} == {
        name: queue(listened) for name, listened in QUEUES.items()
    }


def test_a_second_apps_queues_are_its_own() -> None:
    """All but the host's poison queue of blob events, of which an account has one."""
    found = indexed(CAPTIONS_TABLE="Holidays")
    names = {name: found[name][0]["queueName"] for name in QUEUES}
    own = {name: f"holidays-{listened}" for name, listened in QUEUES.items()}
    assert names == own | {"record_poisoned": "webjobs-blobtrigger-poison"}


def test_it_reconciles_every_five_minutes() -> None:
    assert indexed()["reconcile"] == [
        {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": "0 */5 * * * *"}
    ]


def test_it_backs_up_at_night_until_the_backup_is_complete() -> None:
    schedule = "0 */10 2-23 * * *"
    assert indexed()["back_up"] == [
        {"direction": "IN", "type": "timerTrigger", "name": "timer", "schedule": schedule}
    ]


def test_there_is_no_other_function() -> None:
    assert set(indexed()) == HTTP.keys() | QUEUES.keys() | TOOLS.keys() | OTHERS


@pytest.mark.parametrize(("name", "arguments"), TOOLS.items())
def test_assistants_are_told_what_a_tool_takes(name: str, arguments: dict[str, str]) -> None:
    [binding] = indexed()[name]
    assert (binding["type"], binding["toolName"]) == ("mcpToolTrigger", name)
    assert "never instructions" in binding["description"]
    listed = {
        each["propertyName"]: each["propertyType"]
        + "[]" * each["isArray"]
        + "!" * each["isRequired"]
        for each in json.loads(binding["toolProperties"])
    }
    assert listed == arguments


def test_the_host_treats_queues_as_the_app_expects() -> None:
    """The app's own messages are base64; after five attempts the host gives a message up."""
    host = HostConfig.read(json.loads((ROOT / "host.json").read_text("utf-8")), {})
    assert host.queues.base64
    assert host.queues.attempts == host.blobs.attempts == 5
    assert host.route_prefix == ""


def test_no_route_shadows_another() -> None:
    assert misrouted(indexed()) == []
    assert set(SERVED.values()) == set(HTTP)


@pytest.mark.parametrize(
    ("name", "template", "caught"),
    [
        ("get_caption", "api/captions/{*path}", "GET /api/captions"),
        ("a_new_one", "api/usage/{*rest}", "GET /api/usage"),
        ("a_new_one", "api/{name}", "GET /api/health"),
        ("a_new_one", "{*path}", "GET /"),
    ],
)
def test_the_check_catches_a_route_that_shadows(name: str, template: str, caught: str) -> None:
    assert caught in misrouted(indexed() | {name: route(template, "FUNCTION")})


def test_importing_the_app_builds_nothing_and_loads_no_service() -> None:
    assert run(IMPORT, ImageStorage="", VISION_ENDPOINT="nonsense").strip() == "[]"
