"""From a dropped blob to an HTTP answer: real storage and host process, services at the wire."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from captioning.domain.record import record_id
from captioning.resilience.retries import ATTEMPTS
from testing.factories import pictures
from testing.factories.numbered_pictures import numbered
from testing.harness.running_app import HOSTS, RunningApp, url_path
from testing.harness.storage import blobs_in
from testing.harness.waiting import eventually
from testing.paths import ROOT
from testing.services.both import LocalServices
from testing.services.chat_replies import throttled

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
"""Blob names, and whether a URL can carry them as a path. A host calls no function for a name that
begins with a slash: reconcile finds such an image."""


@pytest.fixture(scope="module")
def services() -> LocalServices:
    """What the app asks."""
    return LocalServices()


@pytest.fixture(scope="module", params=HOSTS)
def app(
    request: pytest.FixtureRequest,
    azurite: str,
    tmp_path_factory: pytest.TempPathFactory,
    services: LocalServices,
) -> Iterator[RunningApp]:
    folder: Path = tmp_path_factory.mktemp("app")
    name = f"e{uuid.uuid4().hex[:12]}"
    with RunningApp(request.param, azurite, folder, name, services=services) as running:
        for name, (data, _) in pictures.STRANGE.items():
            running.upload(f"strange/{name}", data)
        for path in NAMES:
            running.upload(path, CAT)
        yield running


def test_a_dropped_image_is_found_with_its_caption(app: RunningApp) -> None:
    app.upload("2026/beach day.jpg", numbered(1))
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


def test_a_copy_under_another_name_costs_nothing(app: RunningApp) -> None:
    app.upload("original.png", numbered(2))
    original = app.record("original.png")
    before = app.paid
    app.upload("a copy.png", numbered(2))
    copy = app.record("a copy.png")
    assert copy["provenance"]["reused_from"] == "original.png"
    assert (copy["usage"]["vision_calls"], copy["usage"]["usd"]) == (0, 0)
    assert original["usage"]["usd"] > 0
    assert copy["caption"] == original["caption"]
    assert app.paid == before


def test_a_caption_that_is_asked_for_again_is_paid_again(app: RunningApp) -> None:
    app.upload("again ä.png", numbered(3))
    first = app.record("again ä.png")
    vision, model = app.paid
    target = f"/api/recaption/{url_path('again ä.png')}"
    status, _, body = app.workers[0].ask(target, {}, method="POST")
    asked = json.loads(body)["afresh"]

    def answered() -> Any:
        record = app.record("again ä.png")
        return record if record["provenance"]["afresh"] == asked else None

    second = eventually(answered, app.log)
    assert (status, second["status"]) == (202, "captioned")
    assert second["created"] == first["created"]
    assert second["updated"] > first["updated"]
    assert app.paid == (vision + 1, model + 1)


def test_an_image_that_is_put_off_ends_captioned(app: RunningApp, services: LocalServices) -> None:
    """The model refuses as often as a run asks; Vision, which has answered, is not asked again."""
    vision, model = app.paid
    services.chat.script.extend([throttled(retry_after="1")] * ATTEMPTS)
    app.upload("put off.png", numbered(4))
    target = f"/api/captions/sha256:{record_id('put off.png')}"

    def deferred() -> Any:
        record = json.loads(app.get(target)[2])
        return record if record.get("status") == "deferred" else None

    waiting = eventually(deferred, app.log)
    assert waiting["error"]["code"] == "throttled"
    assert waiting["error"]["retry_at"] == waiting["claim"]["until"] > waiting["updated"]
    record = app.record("put off.png")
    assert (record["status"], record["error"], record["claim"]) == ("captioned", None, None)
    assert record["usage"]["vision_calls"] == 3
    assert app.paid == (vision + 1, model + ATTEMPTS + 1)


def test_nothing_reached_the_hosts_retries(app: RunningApp) -> None:
    """Runs after the strange ones: none of them raised, none was tried twice."""
    assert "Traceback" not in app.log()
    assert "poison" not in app.log()


def test_the_log_has_a_line_per_image_and_none_per_request(app: RunningApp) -> None:
    app.record(next(iter(NAMES)))
    assert '{"event": "image"' in app.log()
    assert "HTTP Request" not in app.log()


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
    stored = {blob.path for blob in blobs_in(app.images)}
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
    app.upload("once.jpg", numbered(5))
    before = app.record("once.jpg")
    vision, model = app.paid
    app.stop()
    app.start()
    app.upload("after the restart.jpg", numbered(6))
    app.record("after the restart.jpg")
    assert app.record("once.jpg") == before
    assert app.paid == (vision + 1, model + 1)
