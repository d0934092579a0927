"""The decorated functions, called with real requests and blobs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NoReturn

import azure.functions as func
import pytest
from azure.storage.blob import BlobClient

import function_app
from captioning.api import CaptionApi
from captioning.settings_table import SETTINGS
from tests import pictures
from tests.azurite import free_ports
from tests.pipeline_lab import Works
from tests.records import FULL
from tests.storage_lab import Storage
from tests.wire.chat import KEY

Handler = Callable[[func.HttpRequest], func.HttpResponse]
HTTP: list[Handler] = [
    function_app.get_caption,
    function_app.list_captions,
    function_app.health,
]


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets settings, and only these, for an app that has built nothing yet."""
    for row in SETTINGS:
        monkeypatch.delenv(row.name, raising=False)
    monkeypatch.setattr(function_app, "_services", None)

    def use(**settings: str) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

    yield use
    built = function_app._services
    if built is not None and hasattr(built, "close"):
        built.close()


@pytest.fixture
def deployed(storage: Storage, works: Works, environ: Callable[..., None]) -> Works:
    """The app's settings: this test's storage, no Vision, the model at the wire."""
    environ(
        ImageStorage=storage.connection,
        IMAGES_CONTAINER=storage.name,
        CAPTIONS_TABLE=storage.name,
        VISION_PROVIDER="none",
        CAPTION_PROVIDER="openai",
        OPENAI_BASE_URL=f"{works.model.url}/v1",
        OPENAI_API_KEY=KEY,
    )
    return works


def call(
    handler: Handler, url: str = "/api/captions", path: str = "", **headers: str
) -> func.HttpResponse:
    """The answer to a GET; header names with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = func.HttpRequest(
        "GET",
        f"https://app.example{url}",
        headers=named,
        route_params={"path": path} if path else {},
        body=b"",
    )
    return handler(request)


def document(response: func.HttpResponse) -> Any:
    return json.loads(response.get_body())


def problem(response: func.HttpResponse) -> tuple[int, str]:
    """Status and code of a problem."""
    assert response.mimetype == "application/problem+json"
    body = document(response)
    assert body["status"] == response.status_code
    assert body["detail"]
    return response.status_code, body["code"]


def test_a_dropped_image_is_captioned_and_found(deployed: Works) -> None:
    deployed.storage.upload("2026/a b.jpg", pictures.oriented(1))
    connection, name = deployed.storage.connection, deployed.storage.name
    with BlobClient.from_connection_string(connection, name, "2026/a b.jpg") as client:
        function_app.caption_image(client)
    response = call(function_app.get_caption, path="2026/a b.jpg")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert document(response)["status"] == "captioned"
    assert document(call(function_app.list_captions))["items"] == [document(response)]


def test_headers_come_in_any_case_and_go_out(deployed: Works) -> None:
    etag = deployed.storage.catalog.save(FULL, None)
    response = call(function_app.get_caption, path=FULL.path, IF_NONE_MATCH=etag)
    assert (response.status_code, response.get_body()) == (304, b"")
    assert response.headers["ETag"] == etag


def test_health_is_ok(deployed: Works) -> None:
    response = call(function_app.health, "/api/health")
    assert response.status_code == 200
    parts = {"settings": "ok", "images": "ok", "captions": "ok"}
    assert document(response) == {"status": "ok", "parts": parts}


def test_requests_that_are_not_understood_are_problems(deployed: Works) -> None:
    unknown = call(function_app.get_caption, "/api/captions/a?x=1&code=s3cret", path="a")
    assert problem(unknown) == (400, "unknown_parameter")
    assert b"s3cret" not in unknown.get_body()
    for url, code in {
        "/api/captions?cursor=x": "bad_cursor",
        "/api/captions?limit=0": "bad_limit",
        "/api/captions?limit=1&limit=2": "repeated_parameter",
        "/api/captions?limit=%ff": "bad_query",
    }.items():
        assert problem(call(function_app.list_captions, url)) == (400, code)
    assert problem(call(function_app.get_caption, path="nothing.jpg")) == (404, "not_found")


def test_bad_settings_are_named_and_not_told(environ: Callable[..., None]) -> None:
    environ(ImageStorage="s3cret", VISION_KEY="s3cret key", MAX_IMAGE_BYTES="s3cret")
    bad = {"ImageStorage", "VISION_KEY", "MAX_IMAGE_BYTES"}
    lacking = {"VISION_ENDPOINT", "AZURE_OPENAI_ENDPOINT"}
    for handler in HTTP[:2]:
        response = call(handler, path="a.jpg")
        assert problem(response) == (503, "settings")
        assert all(name in document(response)["detail"] for name in bad | lacking)
        assert b"s3cret" not in response.get_body()
    health = call(function_app.health)
    assert (health.status_code, b"s3cret" in health.get_body()) == (503, False)
    assert document(health)["bad_settings"] == sorted(bad | lacking)


def test_what_an_adapter_finds_in_the_settings_is_named_too(
    deployed: Works, environ: Callable[..., None], tmp_path: Any
) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("\n", "utf-8")
    environ(CAPTION_PROMPT_FILE=str(file))
    assert document(call(function_app.health))["bad_settings"] == ["CAPTION_PROMPT_FILE"]


def test_storage_that_does_not_answer_is_named(
    deployed: Works, environ: Callable[..., None]
) -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}/a"
    key = "AccountName=a;AccountKey=a2V5"
    environ(ImageStorage=f"{key};BlobEndpoint={dead};TableEndpoint={dead}")
    health = call(function_app.health)
    assert health.status_code == 503
    assert document(health)["parts"] == {"settings": "ok", "storage": "down"}
    assert problem(call(function_app.list_captions)) == (503, "unavailable")
    environ(ImageStorage=deployed.storage.connection)
    assert call(function_app.health).status_code == 200


@pytest.mark.parametrize("handler", HTTP, ids=["get_caption", "list_captions", "health"])
def test_a_bug_is_a_problem_without_detail(
    handler: Handler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        """A catalogue with a bug."""

        def get(self, *_: object) -> NoReturn:
            raise RuntimeError("s3cret")

        get_by_id = page = get

    api = CaptionApi(Broken(), {"images": Broken().get})
    monkeypatch.setattr(function_app, "_services", SimpleNamespace(api=api))
    with caplog.at_level(logging.ERROR):
        response = call(handler, "/api/captions", path="a.jpg")
    assert problem(response) == (500, "internal")
    assert b"s3cret" not in response.get_body()
    assert "RuntimeError" in caplog.text
