"""The decorated functions, called with real requests and blobs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
from azure.storage.blob import BlobClient

import function_app
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import record_id
from testing.azurite import free_ports
from testing.factories import pictures
from testing.factories.records import FULL, short
from testing.harness.functions import (
    Handler,
    call,
    document,
    message,
    problem,
    settings_over,
    undeployed,
    waiting,
)
from testing.harness.pipeline import PipelineLab

HTTP: dict[str, tuple[Handler, str]] = {
    "get_caption": (function_app.get_caption, "GET"),
    "edit_caption": (function_app.edit_caption, "PATCH"),
    "list_captions": (function_app.list_captions, "GET"),
    "get_image": (function_app.get_image, "GET"),
    "put_image": (function_app.put_image, "PUT"),
    "delete_image": (function_app.delete_image, "DELETE"),
    "recaption": (function_app.recaption, "POST"),
    "revert": (function_app.revert, "POST"),
    "get_usage": (function_app.get_usage, "GET"),
    "health": (function_app.health, "GET"),
}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets settings of an app that has built nothing yet."""
    with undeployed(monkeypatch) as use:
        yield use


@pytest.fixture
def deployed(lab: PipelineLab, environ: Callable[..., None]) -> PipelineLab:
    """The app over this test's storage and model."""
    environ(**settings_over(lab))
    return lab


def test_a_dropped_image_is_captioned_and_found(deployed: PipelineLab) -> None:
    deployed.storage.upload("2026/a b.jpg", pictures.oriented(1))
    connection, name = deployed.storage.connection, deployed.storage.name
    with BlobClient.from_connection_string(connection, name, "2026/a b.jpg") as client:
        function_app.caption_image(client)
    response = call(function_app.get_caption, path="2026/a b.jpg")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert document(response)["status"] == "captioned"
    assert document(call(function_app.list_captions))["items"] == [document(response)]


def test_headers_come_in_any_case_and_go_out(deployed: PipelineLab) -> None:
    etag = deployed.storage.catalog.save(FULL, None).etag
    response = call(function_app.get_caption, path=FULL.path, IF_NONE_MATCH=etag)
    assert (response.status_code, response.get_body()) == (304, b"")
    assert response.headers["ETag"] == etag.removeprefix("W/")


def test_health_is_ok(deployed: PipelineLab) -> None:
    response = call(function_app.health, "/api/health")
    assert response.status_code == 200
    parts = dict.fromkeys(("settings", "images", "captions", "queue"), "ok")
    parts |= dict.fromkeys(("vision", "model", "budget", "events"), "ok")
    assert document(response) == {"status": "ok", "parts": parts}


def test_requests_that_are_not_understood_are_problems(deployed: PipelineLab) -> None:
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
    for name, (handler, method) in HTTP.items():
        if name == "health":
            continue
        response = call(handler, path="a.jpg", method=method)
        assert problem(response) == (503, "settings")
        assert all(name in document(response)["detail"] for name in bad | lacking)
        assert b"s3cret" not in response.get_body()
    health = call(function_app.health)
    assert (health.status_code, b"s3cret" in health.get_body()) == (503, False)
    assert document(health)["bad_settings"] == sorted(bad | lacking)


def test_what_an_adapter_finds_in_the_settings_is_named_too(
    deployed: PipelineLab, environ: Callable[..., None], tmp_path: Any
) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("\n", "utf-8")
    environ(CAPTION_PROMPT_FILE=str(file))
    assert document(call(function_app.health))["bad_settings"] == ["CAPTION_PROMPT_FILE"]


def test_storage_that_does_not_answer_is_named(
    deployed: PipelineLab, environ: Callable[..., None]
) -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}/a"
    key = "AccountName=a;AccountKey=a2V5"
    endpoints = ";".join(f"{kind}Endpoint={dead}" for kind in ("Blob", "Queue", "Table"))
    environ(ImageStorage=f"{key};{endpoints}")
    health = call(function_app.health)
    assert health.status_code == 503
    assert document(health)["parts"] == {"settings": "ok", "storage": "down"}
    for handler, method in HTTP.values():
        response = call(handler, path="a.jpg", method=method)
        assert response.status_code == 503
    assert problem(call(function_app.list_captions)) == (503, "unavailable")
    environ(ImageStorage=deployed.storage.connection)
    assert call(function_app.health).status_code == 200


def test_an_image_is_asked_for_again(deployed: PipelineLab) -> None:
    deployed.storage.upload("2026/a b.jpg", b"x")
    response = call(function_app.recaption, path="2026%2Fa b.jpg", method="POST")
    assert response.status_code == 202
    asked = document(response)
    assert asked == {
        "path": "2026/a b.jpg",
        "id": record_id("2026/a b.jpg"),
        "afresh": asked["afresh"],
    }
    assert waiting(deployed.storage) == [CaptionMessage("2026/a b.jpg", afresh=asked["afresh"])]


def test_what_is_not_there_cannot_be_asked_for(deployed: PipelineLab) -> None:
    response = call(function_app.recaption, path="nothing.jpg", method="POST")
    assert problem(response) == (404, "not_found")
    assert waiting(deployed.storage) == []


def test_a_person_corrects_a_record(deployed: PipelineLab) -> None:
    deployed.storage.catalog.save(short("2026/a b.jpg"), None)
    read = call(function_app.get_caption, path="2026/a b.jpg")
    response = call(
        function_app.edit_caption,
        path="2026%2Fa b.jpg",
        method="PATCH",
        body=b'{"caption": "Mila."}',
        Content_Type="application/json; charset=utf-8",
        IF_MATCH=read.headers["ETag"],
    )
    assert response.status_code == 200
    again = call(function_app.get_caption, path="2026/a b.jpg")
    assert again.get_body() == response.get_body()
    assert again.headers["ETag"] == response.headers["ETag"] != read.headers["ETag"]
    assert document(again)["caption"] == "Mila."


def test_an_image_is_put_shown_and_deleted(deployed: PipelineLab) -> None:
    data = pictures.oriented(6)
    headers = {"Content_Length": str(len(data)), "Content_Type": "text/html", "If_None_Match": "*"}
    put = call(function_app.put_image, path="a.jpg", method="PUT", body=data, **headers)
    assert (put.status_code, put.headers["Location"]) == (201, "/api/images/a.jpg")
    shown = call(function_app.get_image, path="a.jpg")
    assert (shown.status_code, shown.mimetype, shown.get_body()) == (200, "image/jpeg", data)
    assert shown.headers["ETag"] == document(put)["etag"]
    small = call(function_app.get_image, "/api/images/a.jpg?width=160", path="a.jpg")
    assert (small.status_code, small.headers["X-Content-Type-Options"]) == (200, "nosniff")
    gone = call(function_app.delete_image, path="a.jpg", method="DELETE")
    assert (gone.status_code, gone.get_body()) == (204, b"")
    assert problem(call(function_app.get_image, path="a.jpg")) == (404, "not_found")
    assert deployed.storage.kept_thumbnails() == []


def test_an_image_over_the_limit_or_too_small_for_vision_is_refused(
    deployed: PipelineLab, environ: Callable[..., None]
) -> None:
    """The limits of the settings, and of the service that they name."""
    environ(MAX_IMAGE_BYTES="500", VISION_PROVIDER="embedded")
    tiny, large = pictures.encoded(pictures.quadrants(49, 49), "PNG"), pictures.oriented(1)
    for body, refusal in ((tiny, (415, "too_small")), (large, (413, "too_large"))):
        length = str(len(body))
        put = call(
            function_app.put_image,
            path="a",
            method="PUT",
            body=body,
            If_None_Match="*",
            Content_Length=length,
        )
        assert problem(put) == refusal


def test_usage_tells_what_was_paid(deployed: PipelineLab) -> None:
    deployed.storage.upload("a.jpg", pictures.oriented(1))
    function_app.caption_deferred(message({"path": "a.jpg"}))
    record = document(call(function_app.get_caption, path="a.jpg"))
    usage = document(call(function_app.get_usage, "/api/usage"))
    assert usage["total"]["captioned"] == 1
    assert usage["total"]["input_tokens"] == record["usage"]["input_tokens"] > 0
    assert usage["budget"]["daily_usd"] is None
    wrong = call(function_app.get_usage, "/api/usage?days=0")
    assert problem(wrong) == (400, "bad_days")


@pytest.mark.parametrize("name", HTTP)
def test_a_bug_is_a_problem_without_detail(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        """Whatever is asked of it meets a bug."""

        def __getattr__(self, _: str) -> NoReturn:
            raise RuntimeError("s3cret")

    monkeypatch.setattr(function_app, "_services", Broken())
    handler, method = HTTP[name]
    with caplog.at_level(logging.ERROR):
        response = call(handler, "/api/captions", path="a.jpg", method=method)
    assert problem(response) == (500, "internal")
    assert b"s3cret" not in response.get_body()
    assert "RuntimeError" in caplog.text
