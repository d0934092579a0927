"""Services that fail in many ways at once, and for some time: nothing is lost or paid twice."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from testing.harness.running_app import HOSTS
from testing.simulation.chaos import SEED, ChaosRun
from testing.simulation.chaos_faults import (
    DEPLOYMENT_DELETED,
    KEY_REVOKED,
    ROUGH,
    SERVICES,
    TOO_MANY,
    FaultyServices,
)

ALBUM = {f"images/{number}.png": number for number in range(240)}
COPIES = {f"copies/{number}.png": number for number in range(0, 240, 4)}
SMALL_ALBUM = {f"{number}.png": number for number in range(100)}
STRETCH_SECONDS = 10.0
USELESS_PER_SECOND = 2.0


@pytest.mark.parametrize("host", HOSTS)
def test_faults_of_every_kind(host: str, tmp_path: Path) -> None:
    """Run 1: each content is paid once per service, its copies cost nothing. Three workers, each
    of which finds every blob: a 429 stops one process, not the others."""
    services = FaultyServices(SEED, ROUGH)
    album = ALBUM | COPIES
    with ChaosRun(host, tmp_path, services, workers=3) as chaos:
        chaos.drop(album)
        chaos.settle(album)
        records = chaos.assert_right(album)
        chaos.report(1, f"{ROUGH}", album)
        assert chaos.poisoned() == 0
    for service in SERVICES:
        assert services.outcomes(service).keys() == {"served", *asdict(ROUGH)}
        assert services.served(service) == dict.fromkeys(range(240), 1)
    for path, number in COPIES.items():
        pair = [records[path], records[f"images/{number}.png"]]
        copies = [record for record in pair if record["provenance"]["reused_from"]]
        assert len(copies) == 1
        assert copies[0]["usage"]["usd"] == 0


@pytest.mark.parametrize("host", HOSTS)
def test_nothing_but_429_for_a_stretch(host: str, tmp_path: Path) -> None:
    """Run 4: the app asks seldom while it is told to wait, and loses nothing."""
    services = FaultyServices(SEED, latency=0.05)
    with ChaosRun(host, tmp_path, services) as chaos:
        chaos.drop(SMALL_ALBUM)
        chaos.until(lambda: chaos.states()["captioned"] >= 10)
        services.refusals |= TOO_MANY
        began = time.monotonic()
        time.sleep(STRETCH_SECONDS)
        stretch = time.monotonic() - began
        useless = sum(services.outcomes(service)["refused"] for service in SERVICES)
        services.refusals.clear()
        chaos.settle(SMALL_ALBUM)
        chaos.assert_right(SMALL_ALBUM)
        rate = useless / stretch
        note = f"{rate:.2f} useless calls a second"
        chaos.report(4, f"only 429 for {STRETCH_SECONDS:.0f} s", SMALL_ALBUM, note)
        assert chaos.poisoned() == 0
        assert rate < USELESS_PER_SECOND
    for service in SERVICES:
        assert set(services.served(service).values()) == {1}


@pytest.mark.parametrize("host", HOSTS)
def test_a_deleted_deployment_and_a_revoked_key(host: str, tmp_path: Path) -> None:
    """Run 5: health reports the reasons, and processing continues once both are fixed."""
    services = FaultyServices(SEED, latency=0.05)
    with ChaosRun(host, tmp_path, services, settings={"CAPTION_INPUT": "image"}) as chaos:

        def health() -> dict[str, object]:
            found: dict[str, object] = json.loads(chaos.app.get("/api/health")[2])
            return found

        chaos.drop(SMALL_ALBUM)
        chaos.until(lambda: chaos.states()["captioned"] >= 10)
        services.refusals |= {"vision": KEY_REVOKED, "model": DEPLOYMENT_DELETED}
        began = time.monotonic()
        chaos.until(lambda: health().get("reasons") == {"vision": "auth", "model": "model_gone"})
        assert health()["status"] == "down"
        time.sleep(max(0.0, began + STRETCH_SECONDS - time.monotonic()))
        stretch = time.monotonic() - began
        useless = sum(services.outcomes(service)["refused"] for service in SERVICES)
        services.refusals.clear()
        chaos.settle(SMALL_ALBUM)
        chaos.assert_right(SMALL_ALBUM)
        chaos.until(lambda: health()["status"] == "ok")
        note = f"{useless / stretch:.2f} useless calls a second"
        chaos.report(5, f"401 of Vision, 404 of the model for {stretch:.0f} s", SMALL_ALBUM, note)
        assert chaos.poisoned() == 0
        assert useless / stretch < USELESS_PER_SECOND
    for service in SERVICES:
        assert set(services.served(service).values()) == {1}
