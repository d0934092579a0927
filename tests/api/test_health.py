"""Health: which part works, and no more than that."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import NoReturn

import pytest

from captioning.api.health import HealthApi, unhealthy
from captioning.budget.ledger import DayUsage, Tally
from captioning.budget.reasoning import unwanted_reasoning
from captioning.errors import AuthRefused, BudgetSpent, StorageUnavailable
from captioning.records.catalog import Catalog
from captioning.resilience.service_health import ServiceHealth
from captioning.search.dictionary import Dictionary
from captioning.storage.accounts import BlobAccount, TableAccount
from captioning.storage.state import StateTable
from testing.azurite import free_ports
from testing.fakes.faults import Clock
from testing.harness.storage import Storage

FINE = {"settings": "ok", "vision": "ok", "model": "ok", "budget": "ok"}


def health(
    checks: Mapping[str, Callable[[], bool]],
    troubles: Callable[[], Mapping[str, str]] = dict,
    check_budget: Callable[[], None] = lambda: None,
) -> tuple[int, dict[str, object]]:
    response = HealthApi(checks, troubles, check_budget).get_health()
    document = json.loads(response.body)
    assert (document["status"] == "down") == (response.status == 503)
    return response.status, document


def refuse() -> NoReturn:
    raise StorageUnavailable("s3cret")


def spent() -> NoReturn:
    raise BudgetSpent("The day's budget is spent.")


def test_health_is_ok_when_every_part_answers(storage: Storage) -> None:
    state = StateTable(storage.account.table(f"{storage.name}state"))
    storage.account.create(f"{storage.name}state")
    services = ServiceHealth(state, Clock())
    checks = {"images": storage.images.is_there, "captions": storage.catalog.is_there}
    parts = FINE | {"images": "ok", "captions": "ok"}
    assert health(checks, services.troubles) == (200, {"status": "ok", "parts": parts})
    services.broken("model", AuthRefused("The key is not accepted."))
    parts["model"] = "down"
    down = {"status": "down", "parts": parts, "reasons": {"model": "auth"}}
    assert health(checks, services.troubles) == (503, down)


def test_health_names_the_part_that_is_missing(storage: Storage) -> None:
    blobs = BlobAccount(connection_string=storage.connection)
    images = blobs.images("no-such-container")
    records = storage.catalog_over(storage.account.table("nosuchtable"))
    checks = {"images": images.is_there, "captions": storage.catalog.is_there}
    down = {"settings": "ok", "images": "down", "captions": "ok"}
    assert health(checks) == (503, {"status": "down", "parts": down})
    checks = {"images": storage.images.is_there, "captions": records.is_there}
    down = {"settings": "ok", "images": "ok", "captions": "down"}
    assert health(checks) == (503, {"status": "down", "parts": down})
    blobs.close()


def test_health_is_down_when_storage_is_dead() -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}/a"
    text = f"AccountName=a;AccountKey=a2V5;BlobEndpoint={dead};TableEndpoint={dead}"
    blobs, account = BlobAccount(connection_string=text), TableAccount(connection_string=text)
    images = blobs.images("images")
    table = account.table("tab")
    catalog = Catalog(table, Dictionary(table))
    checks = {"images": images.is_there, "captions": catalog.is_there}
    parts = {"settings": "ok", "images": "down", "captions": "down"}
    assert health(checks) == (503, {"status": "down", "parts": parts})
    catalog.close()
    blobs.close()
    account.close()


def test_what_cannot_be_known_is_not_called_healthy() -> None:
    down = {"settings": "ok", "captions": "down"}
    assert health({}, refuse) == (503, {"status": "down", "parts": down})


def test_a_spent_budget_is_degraded() -> None:
    parts = FINE | {"budget": "spent"}
    assert health({}, dict, spent) == (200, {"status": "degraded", "parts": parts})


def test_an_app_that_cannot_start_names_what_keeps_it() -> None:
    response = unhealthy("settings", ["VISION_KEY"])
    assert response.status == 503
    assert json.loads(response.body) == {
        "status": "down",
        "parts": {"settings": "down"},
        "bad_settings": ["VISION_KEY"],
    }
    assert json.loads(unhealthy("storage").body)["parts"] == {"settings": "ok", "storage": "down"}


def test_a_late_backup_degrades() -> None:
    response = HealthApi({}, dict, lambda: None, backup=lambda: "late").get_health()
    assert response.status == 200
    parts = FINE | {"backup": "late"}
    assert json.loads(response.body) == {"status": "degraded", "parts": parts}


def test_a_stopped_reconcile_degrades() -> None:
    stopped = HealthApi({}, dict, lambda: None, stopped=lambda: "images_missing")
    response = stopped.get_health()
    assert response.status == 200
    assert json.loads(response.body) == {
        "status": "degraded",
        "parts": FINE | {"reconcile": "stopped"},
        "reasons": {"reconcile": "images_missing"},
    }


@pytest.mark.parametrize(
    ("images", "reused", "tokens", "said"),
    [
        (10, 0, 4_000, "400 tokens an image"),
        (10, 5, 4_000, "800 tokens an image"),
        (10, 0, 200, None),
        (4, 0, 4_000, None),
        (0, 0, 0, None),
    ],
)
def test_a_model_that_reasons_all_the_same_is_told(
    images: int, reused: int, tokens: int, said: str | None
) -> None:
    tally = Tally(captioned=images, reused=reused, reasoning_tokens=tokens)
    days = [DayUsage(date(2026, 12, 1), tally)]
    reasoning = partial(unwanted_reasoning, lambda count: days[:count])
    api = HealthApi({}, dict, lambda: None, reasoning=reasoning)
    document = json.loads(api.get_health().body)
    if said is None:
        assert document == {"status": "ok", "parts": FINE}
        return
    assert document["parts"] == FINE | {"reasoning": "unwanted"}
    assert document["status"] == "degraded"
    assert said in document["reasons"]["reasoning"]
    assert "CAPTION_MODEL" in document["reasons"]["reasoning"]


def test_an_answer_holds_for_five_seconds() -> None:
    """Anybody may ask, as often as they like."""
    clock, left = Clock(), iter([True, False, True])
    api = HealthApi({"images": lambda: next(left)}, dict, lambda: None, now=clock)
    assert {api.get_health().status for _ in range(20)} == {200}
    clock.advance(4.9)
    assert api.get_health().status == 200
    clock.advance(0.1)
    assert [api.get_health().status for _ in range(3)] == [503] * 3
    clock.advance(5)
    assert [api.get_health().status for _ in range(3)] == [200] * 3
    assert next(left, None) is None


def test_an_answer_of_a_clock_that_was_ahead_does_not_last() -> None:
    clock, left = Clock(), iter([False, True])
    api = HealthApi({"images": lambda: next(left)}, dict, lambda: None, now=clock)
    assert api.get_health().status == 503
    clock.advance(-3_600)
    assert api.get_health().status == 200


def test_an_answer_that_took_long_holds_as_long_as_others() -> None:
    clock = Clock()
    asked = []

    def slow() -> bool:
        asked.append(1)
        clock.advance(60)
        return False

    api = HealthApi({"images": slow}, dict, lambda: None, now=clock)
    assert [api.get_health().status for _ in range(3)] == [503] * 3
    assert len(asked) == 1
