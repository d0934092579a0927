"""The function app for tests: settings of the test's own, and requests as the host makes them."""

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
from captioning.config.sections import DEFERRED, queue_name
from captioning.domain.messages import CaptionMessage
from testing.harness.pipeline import PipelineLab
from testing.harness.storage import Storage
from testing.services.chat import KEY

Handler = Callable[[func.HttpRequest], func.HttpResponse]


@contextmanager
def undeployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets settings, and only these, for an app that has built nothing yet."""
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
    """The app's settings: this test's storage, no Vision, the model at the wire."""
    return {
        "ImageStorage": lab.storage.connection,
        "IMAGES_CONTAINER": lab.storage.name,
        "CAPTIONS_TABLE": lab.storage.name,
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
    """The answer to a request; header names with underscores."""
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
    """The JSON of an answer."""
    return json.loads(response.get_body())


def problem(response: func.HttpResponse) -> tuple[int, str]:
    """Status and code of a problem."""
    assert response.mimetype == "application/problem+json"
    body = document(response)
    assert body["status"] == response.status_code
    assert body["detail"]
    return response.status_code, body["code"]


def message(body: object) -> func.QueueMessage:
    """A queue's message: bytes and text as they are, anything else as JSON."""
    if isinstance(body, bytes):
        return func.QueueMessage(body=body)
    text = body if isinstance(body, str) else json.dumps(body)
    return func.QueueMessage(body=text.encode())


def waiting(storage: Storage) -> list[CaptionMessage]:
    """What can be seen on the app's queue, read as the host reads it."""
    name = queue_name(DEFERRED, storage.name)
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
