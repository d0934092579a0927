"""Rows beside the records that cannot be read: skipped, named in health and log, and repaired by
whoever writes them next."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import pytest

from captioning.app.services import Services, build_services
from captioning.budget.ledger import Tally
from captioning.budget.table import UsageTable
from captioning.config.settings import Settings
from captioning.domain.usage import Usage
from captioning.images.sketch import Sketch
from captioning.maintenance.brake import Brake
from captioning.maintenance.missing import Mark, MissingBlobs
from captioning.resilience.service_health import ServiceHealth
from captioning.reuse.bursts import Frame
from captioning.storage.broken_rows import BrokenRows
from captioning.storage.state import StateTable
from testing.factories import pictures
from testing.factories.records import START
from testing.fakes.faults import Clock
from testing.harness.command_line import settings_of
from testing.harness.pipeline import PipelineLab, on
from testing.harness.planted_rows import plant
from testing.harness.storage import Storage

NUMBERS: list[dict[str, Any]] = [
    {"usd": "ten"},
    {"usd": float("nan")},
    {"usd": -1.0},
    {"captioned": 1.5},
    {"captioned": True},
]


def services(storage: Storage, clock: Clock, **settings: str) -> Services:
    """The app over the tables of one test, which it makes."""
    providers = dict.fromkeys(("VISION_PROVIDER", "CAPTION_PROVIDER"), "embedded")
    environ = {**settings_of(storage), **providers, **settings}
    return build_services(Settings.from_environ(environ), now=clock)


def health(app: Services) -> dict[str, Any]:
    response = app.api.health.get_health()
    assert response.status == 200
    document: dict[str, Any] = json.loads(response.body)
    return document


@pytest.mark.parametrize("columns", NUMBERS, ids=repr)
def test_a_usage_row_is_not_counted_and_payments_go_on(
    columns: dict[str, Any], storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    day = clock().date().isoformat()
    with closing(services(storage, clock, DAILY_BUDGET_USD="1", MONTHLY_BUDGET_USD="2")) as app:
        app.ledger.add(Usage(usd=0.25), status="captioned")
        plant(storage, "usage", day, "another", **columns)
        plant(storage, "usage", f"{day}T10", "another", usd=5.0)
        plant(storage, "usage", day, "third", usd=0.25, captioned=2, licence="CC-BY")
        app.ledger.check_budget()
        assert app.ledger.spent().spent_today_usd == 0.5
        assert app.ledger.days(1)[0].tally.captioned == 3
        found = health(app)
        assert found["status"] == "degraded"
        assert found["parts"]["usage"] == "unreadable"
        assert "delete them" in found["reasons"]["usage"]
    lines = [line.message for line in caplog.records if line.levelno == logging.ERROR]
    assert f"A row of usage cannot be read and is skipped: '{day}', 'another'" in lines
    assert len(lines) == len({*lines})


STATE = {
    "no JSON": {"document": "{"},
    "another shape": {"document": "5"},
    "a list": {"document": "[]"},
    "no document": {"note": "x"},
    "a number": {"document": 5},
    "too deep": {"document": "[" * 9_000},
}


@pytest.fixture(autouse=True)
def _fresh_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request checks: the clock of these tests stands still."""
    monkeypatch.setattr("captioning.api.health.KEPT", timedelta())


@pytest.mark.parametrize("columns", STATE.values(), ids=STATE.keys())
def test_a_state_document_counts_as_not_there(columns: dict[str, Any], storage: Storage) -> None:
    clock = Clock()
    with closing(services(storage, clock)) as app:
        assert health(app)["status"] == "ok"
        for kind, name in (("brake", "reconcile"), ("service", "model"), ("missing", "0" * 64)):
            plant(storage, "state", kind, name, **columns)
        for name in ("blobs", "records"):
            plant(storage, "state", "position", name, **columns)
        found = health(app)
        assert found["parts"].pop("state") == "unreadable"
        assert {*found["parts"].values()} == {"ok"}
        assert app.reconciler.run().is_broken_off is False
        clock.advance(4_000)
        state = StateTable(storage.account.table(f"{storage.name}state"))
        missing = MissingBlobs(state)
        missing.put(Mark("a.jpg", clock()))
        assert missing.all() == {"a.jpg": Mark("a.jpg", clock())}
        ServiceHealth(state, clock).answered("model")
        Brake(state, clock).pull("images_missing")
        assert Brake(state, clock).reason() == "images_missing"


def test_health_forgets_a_row_that_nobody_meets_any_more(storage: Storage) -> None:
    clock = Clock()
    assert storage.state
    table = storage.account.table(f"{storage.name}state")
    met, other = BrokenRows(table, clock), BrokenRows(table, clock)
    met.skipped("reuse", "ab", "cd")
    assert other.tables() == ["reuse"]
    clock.advance(3_000)
    met.skipped("reuse", "ab", "cd")
    clock.advance(3_000)
    assert other.tables() == ["reuse"]
    clock.advance(700)
    assert other.tables() == []
    plant(storage, "state", "broken", "usage", document="{")
    assert other.tables() == ["usage"]


ENTRIES: dict[str, dict[str, Any]] = {
    "an unknown refusal": {"refusal": '{"code": "too_blue", "message": "m"}'},
    "broken JSON": {"captioning": "{"},
    "a number": {"captioning": 5},
    "done without an outcome": {"captioning": "null", "is_done": True},
    "a claim without a zone": {"claim": '{"worker": "w", "until": "2026-11-22T10:00:00"}'},
    "another content": {"sha256": "ef" * 32},
}


@pytest.mark.parametrize("columns", ENTRIES.values(), ids=ENTRIES.keys())
def test_a_reuse_row_is_paid_for_again_and_replaced(
    columns: dict[str, Any], lab: PipelineLab, caplog: pytest.LogCaptureFixture
) -> None:
    data = pictures.encoded(pictures.quadrants(), "JPEG")
    lab.storage.upload("a.jpg", data)
    lab.pipeline().process(on("a.jpg"))
    paid = lab.calls
    made = lab.stored("a.jpg").record
    sha256, fingerprint = made.image.sha256, made.provenance.fingerprint
    assert sha256
    assert fingerprint
    plant(lab.storage, "reuse", sha256, fingerprint, **columns)
    lab.storage.upload("b.jpg", data)
    lab.pipeline().process(on("b.jpg"))
    assert lab.stored("b.jpg").record.status == "captioned"
    assert lab.calls == (2 * paid[0], 2 * paid[1])
    assert f"A row of reuse cannot be read and is skipped: '{sha256}'" in caplog.text
    lab.storage.upload("c.jpg", data)
    lab.pipeline().process(on("c.jpg"))
    assert lab.stored("c.jpg").record.provenance.reused_from == "b.jpg"


def test_a_column_of_a_newer_version_does_not_make_a_reuse_row_unknown(lab: PipelineLab) -> None:
    data = pictures.encoded(pictures.quadrants(), "JPEG")
    lab.storage.upload("a.jpg", data)
    lab.pipeline().process(on("a.jpg"))
    made = lab.stored("a.jpg").record
    paid = lab.calls
    plant(
        lab.storage, "reuse", str(made.image.sha256), str(made.provenance.fingerprint), tier="cold"
    )
    lab.storage.upload("b.jpg", data)
    lab.pipeline().process(on("b.jpg"))
    assert lab.stored("b.jpg").record.provenance.reused_from == "a.jpg"
    assert lab.calls == paid


@pytest.mark.parametrize(
    "columns", [{"hash": 5}, {"hash": "xyz"}, {"since": "now"}, {"uploaded": "2026-11-22T10:00:00"}]
)
def test_a_burst_row_counts_as_not_there(columns: dict[str, Any], storage: Storage) -> None:
    frames = [
        Frame("g", sha * 64, START, START + timedelta(seconds=number), Sketch(number, b"x"))
        for number, sha in enumerate("abc")
    ]
    for frame in frames:
        storage.bursts.put(frame)
    broken, frame, other = frames
    key = f"{99_999_999_999_999 - int(START.timestamp() * 1_000):014}-{broken.sha256}"
    plant(storage, "bursts", "g", key, **columns)
    around = storage.bursts.around(frame, timedelta(minutes=1), 9)
    assert [each.sha256 for each in around] == [other.sha256]
    plant(storage, "bursts", "g", key, pixels="§")
    assert storage.bursts.pixels(broken) is None


def test_whole_numbers_are_dollars_too(storage: Storage) -> None:
    storage.account.create(f"{storage.name}usage")
    plant(storage, "usage", "2026-11-22", "w", usd=2, captioned=3)
    rows = UsageTable(storage.account.table(f"{storage.name}usage"))
    [(_, _, tally)] = rows.between(date(2026, 11, 22), date(2026, 11, 22))
    assert tally == Tally(captioned=3, usd=2)


def test_an_analysis_with_no_numbers_is_not_believed(storage: Storage) -> None:
    tags = [{"name": "x", "confidence": "NaN"}]
    analysis = json.dumps({"provider": "p", "width": 1, "height": 1, "tags": tags})
    keys = {"sha256": "ab", "fingerprint": "cd"}
    assert storage.reuse.get(*keys.values()) is None
    plant(storage, "reuse", *keys.values(), **keys, path="a", run="w", analysis=analysis)
    stored = storage.reuse.get("ab", "cd")
    assert stored
    assert stored.work.analysis is None
