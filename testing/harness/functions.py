"""The function app for tests: settings of one test, and requests as the host passes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import azure.functions as func
import pytest
from azure.storage.queue import QueueClient, TextBase64DecodePolicy

import function_app
from captioning.config.definitions import SETTINGS
from captioning.config.sections import queue_names
from captioning.domain.messages import CaptionMessage
from testing.harness.pipeline import PipelineLab
from testing.harness.storage import Storage
from testing.services.chat import KEY

Handler = Callable[[func.HttpRequest], func.HttpResponse]


@contextmanager
def undeployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets the settings that a test gives, and only these, for an app that has not built its
    services."""
    for row in SETTINGS:
        monkeypatch.delenv(row.name, raising=False)
    monkeypatch.setattr(function_app, "_services", None)

    def use(**settings: str) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

    yield use
    if built := function_app._services:
        built.close()


def settings_over(lab: PipelineLab) -> dict[str, str]:
    """Settings of an app with the lab's storage and model, without Vision."""
    return {
        "ImageStorage": lab.storage.connection,
        "IMAGES_CONTAINER": lab.storage.name,
        "CAPTIONS_TABLE": lab.storage.name,
        "IGNORE_FILES": "",
        "VISION_PROVIDER": "none",
        "CAPTION_PROVIDER": "openai",
        "OPENAI_BASE_URL": f"{lab.model.url}/v1",
        "OPENAI_API_KEY": KEY,
    }


def call(
    handler: Handler,
    url: str = "",
    path: str = "",
    method: str = "GET",
    body: bytes = b"",
    **headers: str,
) -> func.HttpResponse:
    """Calls a handler; underscores in header names become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = func.HttpRequest(
        method,
        f"https://app.example{url}",
        headers=named,
        route_params={"path": path} if path else {},
        body=body,
    )
    return handler(request)


def document(response: func.HttpResponse) -> Any:
    """The JSON of a response."""
    return json.loads(response.get_body())


def problem(response: func.HttpResponse) -> tuple[int, str]:
    """Status and code of a problem response (RFC 9457)."""
    assert response.mimetype == "application/problem+json"
    body = document(response)
    assert body["status"] == response.status_code
    assert body["detail"]
    return response.status_code, body["code"]


def message(body: object) -> func.QueueMessage:
    """A queue message; a body that is not bytes or text is sent as JSON."""
    if isinstance(body, bytes):
        return func.QueueMessage(body=body)
    text = body if isinstance(body, str) else json.dumps(body)
    return func.QueueMessage(body=text.encode())


def waiting(storage: Storage) -> list[CaptionMessage]:
    """The visible messages on the app's queue, decoded as the host does."""
    name = queue_names(storage.name).deferred
    with QueueClient.from_connection_string(
        storage.connection, name, message_decode_policy=TextBase64DecodePolicy()
    ) as queue:
        return [CaptionMessage.from_json(found.content) for found in queue.peek_messages(32)]


def poison_event(container: str, path: str) -> dict[str, str]:
    """The message that the host puts on the poison queue of blob events."""
    return {
        "Type": "BlobTrigger",
        "FunctionId": "Host.Functions.caption_image",
        "BlobType": "BlockBlob",
        "ContainerName": container,
        "BlobName": path,
        "ETag": "0x8DE29B1",
    }
