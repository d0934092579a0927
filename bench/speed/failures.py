"""Services that refuse calls: how many images are captioned, and how many calls are wasted."""

from __future__ import annotations

from typing import Any

from bench.harness.bed import Bed
from bench.harness.figures import ideal, markdown
from bench.harness.report import Report
from bench.speed.throughput import SERVICE_SECONDS

CALLS = 2
"""For an image: one of Vision and one of the model."""
RETRY_AFTER = 1.0
WARM = 10.0
SEVENTY_PERCENT = 0.7 * ideal(16, SERVICE_SECONDS)
DAYS: dict[str, tuple[int, dict[str, float]]] = {
    "quota of 70 % of the ideal": (16, {"quota": SEVENTY_PERCENT, "burst": SEVENTY_PERCENT}),
    "quota of 10 calls/s": (32, {"quota": 10.0, "burst": 10.0}),
    "30 % of calls, by chance": (16, {"refused": 0.3}),
}
"""By name, how many images are in flight and how the services behave. Each service has a quota of
its own."""


def run(bed: Bed, *, quick: bool) -> Report:
    """Measures each of DAYS in an app of its own."""
    window = 8.0 if quick else 30.0
    found = {name: day(bed, *plan, window) for name, plan in DAYS.items()}
    return Report(table(found), found)


def day(bed: Bed, in_flight: int, behaviour: dict[str, float], window: float) -> Any:
    """One measurement. Deferred images are retried when their messages become visible."""
    paths = bed.upload(1, 700)
    bed.behave(**behaviour)
    with bed.app() as app:
        run = app.run(paths, in_flight, window, warm=WARM, deferred=True)
    return run | {"in_flight": in_flight, "behaviour": behaviour, "counts": bed.counts()}


def limit(in_flight: int, behaviour: dict[str, float]) -> float:
    """The highest possible number of images a second: with a quota, what it allows; with random
    refusals, what remains if each refused call alone waits for its `Retry-After` and is made
    again."""
    if quota := behaviour.get("quota"):
        return min(quota, ideal(in_flight, SERVICE_SECONDS))
    refusals = 1 / (1 - behaviour["refused"]) - 1
    return ideal(in_flight, SERVICE_SECONDS + CALLS * refusals * RETRY_AFTER)


def table(found: dict[str, Any]) -> str:
    """The table of docs/internals.md."""
    head = ["refused", "in flight", "captioned/s", "limit", "of limit", "wasted calls", "put off"]
    rows = []
    for name, run in found.items():
        rate = run["statuses"].get("captioned", 0) / run["seconds"]
        most = limit(run["in_flight"], run["behaviour"])
        counts = run["counts"]
        calls = counts["vision"] + counts["chat"] + counts["refused"]
        put_off = run["all_statuses"].get("deferred", 0)
        wasted = f"{counts['refused'] / max(1, calls):.1%}"
        cells = [run["in_flight"], f"{rate:.2f}", f"{most:.2f}", f"{rate / most:.0%}"]
        rows.append([name, *cells, wasted, put_off])
    return markdown(head, rows)
