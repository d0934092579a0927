"""From a dropped blob to an HTTP answer: real storage and host process, services at the wire."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from captioning.models import record_id
from tests import pictures
from tests.azurite import ROOT
from tests.running_app import HOSTS, RunningApp, url_path

CAT = (ROOT / "samples" / "cat.jpg").read_bytes()
NAMES = {
    "with space.jpg": True,
    "hash#tag.jpg": True,
    "what?.jpg": True,
    "%41.jpg": True,
    "a+b.jpg": True,
    'it\'s "quoted".jpg': True,
    "🐕 dog.jpg": True,
    "תמונה ראשונה.jpg": True,
    "trailing dot.": True,
    "...": True,
    "a//b.jpg": True,
    "/leading.jpg": False,
    "deep/" * 200 + "cat.jpg": True,
    "n" * 1_024: True,
    "a;b=c&d@e$f,g!~.jpg": True,
    "<img src=x onerror=alert(1)>.jpg": True,
    "a/../b.jpg": False,
    "../up.jpg": False,
    "a/./b.jpg": False,
    "猫" * 1_024: False,
    "literal%2Fslash.jpg": False,
}
"""Blob names, and whether a URL can carry them as a path."""


@pytest.fixture(scope="module", params=HOSTS)
def app(
    request: pytest.FixtureRequest, azurite: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApp]:
    folder: Path = tmp_path_factory.mktemp("app")
    with RunningApp(request.param, azurite, folder, f"e{uuid.uuid4().hex[:12]}") as running:
        for name, (data, _) in pictures.STRANGE.items():
            running.upload(f"strange/{name}", data)
        for path in NAMES:
            running.upload(path, CAT)
        yield running


def test_a_dropped_image_is_found_with_its_caption(app: RunningApp) -> None:
    app.upload("2026/beach day.jpg", CAT)
    record = app.record("2026/beach day.jpg")
    status, headers, body = app.get("/api/captions/2026/beach%20day.jpg")
    assert status == 200
    assert json.loads(body) == record
    assert headers["content-type"] == "application/json"
    assert record["status"] == "captioned"
    assert record["caption"]
    assert record["alt_text"]
    assert record["tags"]
    assert record["provenance"]["model"] == "gpt-4o-mini-2024-07-18"
    assert record["usage"]["vision_calls"] == 3
    assert app.get("/api/captions/2026/beach%20day.jpg", If_None_Match=headers["etag"])[0] == 304


@pytest.mark.parametrize("name", pictures.STRANGE)
def test_every_strange_image_ends_captioned_or_rejected(app: RunningApp, name: str) -> None:
    code = pictures.STRANGE[name][1]
    record = app.record(f"strange/{name}")
    assert record["status"] == ("rejected" if code else "captioned"), record["error"]
    if code:
        assert record["error"]["code"] == code
        assert record["caption"] is None
    else:
        assert (record["image"]["width"], record["image"]["height"]) == (400, 300)


def test_a_blob_over_the_limit_is_rejected(app: RunningApp) -> None:
    app.upload("60MiB.jpg", CAT + bytes(60 * 1024 * 1024))
    record = app.record("60MiB.jpg")
    assert (record["status"], record["error"]["code"]) == ("rejected", "too_large")
    assert "MAX_IMAGE_BYTES" in record["error"]["message"]
    assert record["image"]["bytes"] > 60 * 1024 * 1024
    assert record["image"]["sha256"] is None


@pytest.mark.parametrize(("name", "in_a_url"), NAMES.items())
def test_every_name_is_stored_and_found(app: RunningApp, name: str, in_a_url: bool) -> None:
    record = app.record(name)
    assert (record["path"], record["status"]) == (name, "captioned")
    if in_a_url:
        status, _, body = app.get(f"/api/captions/{url_path(name)}")
        assert (status, json.loads(body)["id"]) == (200, record_id(name))


def test_a_backslash_is_a_slash_to_the_storage(app: RunningApp) -> None:
    app.upload("back\\slash.jpg", CAT)
    assert app.record("back/slash.jpg")["path"] == "back/slash.jpg"


def test_nothing_reached_the_hosts_retries(app: RunningApp) -> None:
    """Runs after the strange ones: none of them raised, none was tried twice."""
    assert "Traceback" not in app.log()
    assert "poison" not in app.log()


def test_the_process_stays_small(app: RunningApp) -> None:
    assert app.peak_memory() < 400 * 1024 * 1024


def test_the_list_is_complete_and_newest_first(app: RunningApp) -> None:
    app.upload("the newest.jpg", CAT)
    app.record("the newest.jpg")
    seen, cursor = [], ""
    while True:
        _, _, body = app.get(f"/api/captions?limit=10{cursor}")
        page = json.loads(body)
        seen += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    times = [record["image"]["modified"] for record in seen]
    assert times == sorted(times, reverse=True)
    assert len({record["id"] for record in seen}) == len(seen)
    stored = {blob.path for blob in app.images.list()}
    assert {record["path"] for record in seen} == stored


def test_what_http_refuses_is_a_problem_with_a_code(app: RunningApp) -> None:
    for target, status, code in (
        ("/api/captions/no/such.jpg", 404, "not_found"),
        ("/api/captions?limit=0", 400, "bad_limit"),
        ("/api/captions?cursor=nonsense", 400, "bad_cursor"),
        ("/api/captions?colour=red", 400, "unknown_parameter"),
    ):
        answered, headers, body = app.get(target)
        assert (answered, json.loads(body)["code"]) == (status, code)
        assert headers["content-type"] == "application/problem+json"


def test_a_restart_pays_nothing_again(app: RunningApp) -> None:
    app.upload("once.jpg", CAT)
    before = app.record("once.jpg")
    vision, model = app.paid
    app.stop()
    app.start()
    app.upload("after the restart.jpg", CAT)
    app.record("after the restart.jpg")
    assert app.record("once.jpg") == before
    assert app.paid == (vision + 1, model + 1)
