"""Health: which part works, and no more than that."""

from __future__ import annotations

import json

from captioning.api import CaptionApi, unhealthy
from captioning.blobs import connect
from captioning.store import RecordStore
from captioning.tables import TableAccount
from tests.azurite import free_ports
from tests.storage_lab import Storage


def health(api: CaptionApi) -> tuple[int, dict[str, str]]:
    response = api.health()
    document = json.loads(response.body)
    assert document["status"] == ("ok" if response.status == 200 else "down")
    return response.status, document["parts"]


def test_health_is_ok_when_every_part_answers(storage: Storage) -> None:
    api = CaptionApi(
        storage.catalog,
        {"images": storage.images.is_there, "captions": storage.records.is_there},
    )
    assert health(api) == (200, {"settings": "ok", "images": "ok", "captions": "ok"})


def test_health_names_the_part_that_is_missing(storage: Storage) -> None:
    images = connect("no-such-container", connection_string=storage.connection)
    records = RecordStore(storage.account.table("nosuchtable"))
    checks = {"images": images.is_there, "captions": storage.records.is_there}
    down = {"settings": "ok", "images": "down", "captions": "ok"}
    assert health(CaptionApi(storage.catalog, checks)) == (503, down)
    checks = {"images": storage.images.is_there, "captions": records.is_there}
    down = {"settings": "ok", "images": "ok", "captions": "down"}
    assert health(CaptionApi(storage.catalog, checks)) == (503, down)
    images.close()


def test_health_is_down_when_storage_is_dead(storage: Storage) -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}/a"
    text = f"AccountName=a;AccountKey=a2V5;BlobEndpoint={dead};TableEndpoint={dead}"
    images, account = (
        connect("images", connection_string=text),
        TableAccount(connection_string=text),
    )
    checks = {"images": images.is_there, "captions": RecordStore(account.table("t")).is_there}
    parts = {"settings": "ok", "images": "down", "captions": "down"}
    assert health(CaptionApi(storage.catalog, checks)) == (503, parts)
    images.close()
    account.close()


def test_an_app_that_cannot_start_names_what_keeps_it() -> None:
    response = unhealthy("settings", ["VISION_KEY"])
    assert response.status == 503
    assert json.loads(response.body) == {
        "status": "down",
        "parts": {"settings": "down"},
        "bad_settings": ["VISION_KEY"],
    }
    assert json.loads(unhealthy("storage").body)["parts"] == {"settings": "ok", "storage": "down"}
