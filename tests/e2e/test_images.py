"""Images over HTTP, in and out of a running app: host process, real storage, blob events."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from captioning.domain.record import record_id
from testing.factories import pictures
from testing.factories.numbered_pictures import numbered
from testing.factories.pictures import is_upright, opened
from testing.harness.running_app import HOSTS, RunningApp, url_path
from testing.harness.storage import blobs_in
from testing.harness.waiting import HUNG_SECONDS


@pytest.fixture(scope="module", params=HOSTS)
def app(
    request: pytest.FixtureRequest, azurite: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    folder: Path = tmp_path_factory.mktemp("images")
    with RunningApp(request.param, azurite, folder, f"i{uuid.uuid4().hex[:12]}") as running:
        yield running


def put(app: RunningApp, target: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """Status and document of the answer to an upload, of a new image without a condition."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named = named if "If-Match" in named else {"If-None-Match": "*", **named}
    status, _, answer = app.workers[0].ask(target, named, method="PUT", body=body)
    return status, json.loads(answer)


def delete(app: RunningApp, target: str) -> int:
    return app.workers[0].ask(target, {}, method="DELETE")[0]


def stored(app: RunningApp) -> set[str]:
    return {blob.path for blob in blobs_in(app.images)}


def test_an_image_lives_and_dies_over_http(app: RunningApp) -> None:
    path = "2026/beach day ä.jpg"
    target = f"/api/images/{url_path(path)}"
    data = pictures.oriented(6, width=1_600)
    status, answer = put(app, target, data, Content_Type="application/octet-stream")
    assert (status, answer["path"], answer["width"]) == (201, path, 1_600)

    record = app.record(path)
    assert (record["status"], record["image"]["etag"]) == ("captioned", answer["etag"])
    assert app.get(target)[2] == data

    version = record["image"]["etag"].strip('"')
    status, headers, small = app.get(f"{target}?width=320&version={version}")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert headers["cache-control"] == "private, max-age=31536000, immutable"
    assert opened(small).size == (320, 240)
    assert is_upright(opened(small))
    assert app.get(f"{target}?width=320", If_None_Match=headers["etag"])[0] == 304

    assert delete(app, target) == 204
    assert delete(app, target) == 404
    for gone in (
        target,
        f"{target}?width=320",
        f"/api/images/sha256:{record_id(path)}",
        f"/api/captions/{url_path(path)}",
    ):
        assert app.get(gone)[0] == 404
    assert path not in stored(app)
    assert all(item["path"] != path for item in json.loads(app.get("/api/captions")[2])["items"])


def test_a_chunked_upload_is_refused_and_stored_nowhere(app: RunningApp) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", app.workers[0].port, timeout=HUNG_SECONDS)
    parts = iter([pictures.oriented(1)])
    connection.request(
        "PUT", "/api/images/chunked.jpg", parts, headers={"If-None-Match": "*"}, encode_chunked=True
    )
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["code"]) == (411, "length_required")
    connection.close()
    assert "chunked.jpg" not in stored(app)


@pytest.mark.parametrize(
    "path",
    ["a%2F..%2Fb.jpg", "..%2f..%2fhost.json", "a%0Ab.jpg", "x%5Cy.jpg", "a.jpg.", "n" * 1_025],
)
def test_hostile_names_are_refused_and_stored_nowhere(app: RunningApp, path: str) -> None:
    before = stored(app)
    for method in ("PUT", "GET", "DELETE"):
        body = numbered(1) if method == "PUT" else b""
        status, _, answer = app.workers[0].ask(
            f"/api/images/{path}", {"If-None-Match": "*"}, method=method, body=body
        )
        assert (status, json.loads(answer)["code"]) == (400, "bad_name")
    assert stored(app) == before


def test_a_page_called_jpg_is_refused_and_stored_nowhere(app: RunningApp) -> None:
    page = b"<!DOCTYPE html><script>alert(document.cookie)</script>"
    status, answer = put(app, "/api/images/page.jpg", page, Content_Type="image/jpeg")
    assert (status, answer["code"]) == (415, "unsupported_format")
    assert "page.jpg" not in stored(app)


def test_an_image_of_fifty_mebibytes_goes_in_and_comes_out(app: RunningApp) -> None:
    """The default limit; one byte more is refused."""
    data = numbered(2).ljust(50 * 1024 * 1024, b"\0")
    assert put(app, "/api/images/large.png", data)[0] == 201
    assert app.get("/api/images/large.png")[2] == data
    status, answer = put(app, "/api/images/larger.png", data + b"\0")
    assert (status, answer["code"]) == (413, "too_large")
    assert delete(app, "/api/images/large.png") == 204


def test_nothing_raised(app: RunningApp) -> None:
    assert "Traceback" not in app.log()
