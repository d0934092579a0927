"""Storage fails for a stretch: nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from testing.harness.running_app import HOSTS
from testing.simulation.chaos import SEED, Storm
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
    """Storm 6: queues answer 500 or 503, then tables, then both; some answers to writes are
    lost."""
    services = FaultyServices(SEED, latency=0.3)
    with Storm(host, tmp_path, services, proxied=True, hidden=6, settings=HASTY) as storm:
        assert storm.proxy
        storm.drop(ALBUM)
        storm.until(lambda: storm.states()["captioned"] >= 5)
        for seconds, down, no_vision in STRETCHES:
            services.refusals = {"vision": KEY_REVOKED} if no_vision else {}
            storm.proxy.refuse(down)
            time.sleep(seconds)
        services.refusals = {}
        storm.proxy.refuse(())
        storm.settle(ALBUM)
        assert set(storm.proxy.refused) == {"table", "queue"}
        storm.assert_right(ALBUM)
        note = f"{dict(storm.proxy.refused)} requests refused"
        storm.report(6, f"500 and 503 of storage: {STRETCHES}", ALBUM, note)
