"""Storage fails for some time: nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from testing.harness.running_app import HOSTS
from testing.simulation.chaos import SEED, ChaosRun
from testing.simulation.chaos_faults import KEY_REVOKED, FaultyServices

ALBUM = {f"{number}.png": number for number in range(48)}
HASTY = {
    f"AzureFunctionsJobHost__extensions__{section}": "3"
    for section in ("blobs__poisonBlobThreshold", "queues__maxDequeueCount")
}
"""A host that gives up after three attempts, so that it would within a short stretch."""
STRETCHES: tuple[tuple[float, set[str], bool], ...] = (
    (6.0, {"queue"}, True),
    (15.0, {"table"}, False),
    (5.0, {"table", "queue"}, False),
)
"""Seconds, the services of the account that fail, and whether Vision refuses all: images are to
wait then, in a queue that takes nothing."""


@pytest.mark.parametrize("host", HOSTS)
def test_storage_fails(host: str, tmp_path: Path) -> None:
    """Run 6: queues answer 500 or 503, then tables, then both; some answers to writes are
    lost."""
    services = FaultyServices(SEED, latency=0.3)
    with ChaosRun(host, tmp_path, services, proxied=True, hidden=6, settings=HASTY) as chaos:
        assert chaos.proxy
        chaos.drop(ALBUM)
        chaos.until(lambda: chaos.states()["captioned"] >= 5)
        for seconds, down, no_vision in STRETCHES:
            services.refusals = {"vision": KEY_REVOKED} if no_vision else {}
            chaos.proxy.refuse(down)
            time.sleep(seconds)
        services.refusals = {}
        chaos.proxy.refuse(())
        chaos.settle(ALBUM)
        assert set(chaos.proxy.refused) == {"table", "queue"}
        chaos.assert_right(ALBUM)
        note = f"{dict(chaos.proxy.refused)} requests refused"
        chaos.report(6, f"500 and 503 of storage: {STRETCHES}", ALBUM, note)
