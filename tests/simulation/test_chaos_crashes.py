"""The app is killed, again and again: what was saved is not paid again."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from testing.harness.running_app import HOSTS
from testing.simulation.chaos import SEED, ChaosRun
from testing.simulation.chaos_faults import FaultyServices, Service

ALBUM = {f"{number}.png": number for number in range(200)}
CALLS = 2 * len(ALBUM)
KILLS = 10


@pytest.mark.parametrize("host", HOSTS)
def test_a_process_killed_ten_times(host: str, tmp_path: Path) -> None:
    """Run 2: killed when a random number of calls has been made, and a random while later."""
    services = FaultyServices(SEED, latency=0.2)
    plan = random.Random(SEED)
    saved: dict[tuple[Service, int], float] = {}
    half_done = 0
    with ChaosRun(host, tmp_path, services, hidden=6) as chaos:
        chaos.drop(ALBUM)
        for point in sorted(plan.sample(range(10, CALLS - 20), KILLS)):
            # mypy does not infer the type of a default
            chaos.until(lambda least=point: len(services.calls) >= least)  # type: ignore[misc]
            time.sleep(plan.uniform(0, 0.3))
            chaos.app.workers[0].kill()
            found = chaos.saved()
            half_done += sum(("model", number) not in found for _, number in found)
            saved |= dict.fromkeys(found - saved.keys(), time.monotonic())
            chaos.app.workers[0].start()
        chaos.settle(ALBUM)
        chaos.assert_right(ALBUM)
        again = [
            call
            for call in services.calls
            if call.at > saved.get((call.service, call.picture), call.at)
        ]
        answers = sum((services.served("vision") + services.served("model")).values())
        note = (
            f"{len(saved)} answers saved at the kills, {half_done} analyses without a caption, "
            f"{len(again)} paid again"
        )
        chaos.report(2, f"{KILLS} kills", ALBUM, f"{note}; {answers - CALLS} answers lost")
        assert half_done > KILLS
        assert not again
