"""Services that refuse: what is captioned all the same, and how many calls are wasted."""

from __future__ import annotations

from typing import Any

from bench.bed import Bed
from bench.figures import markdown
from bench.report import Report
from bench.throughput import SERVICE_SECONDS

CALLS = 2
"""Of an image: Vision's and the model's."""
WARM = 10.0
DAYS: dict[str, tuple[int, dict[str, float]]] = {
    "30 % of calls refused, 16 in flight": (16, {"refused": 0.3}),
    "quota of 10 calls/s, 16 in flight": (16, {"quota": 10.0, "burst": 10.0}),
    "quota of 10 calls/s, 32 in flight": (32, {"quota": 10.0, "burst": 10.0}),
    "quota of 20 calls/s, 64 in flight": (64, {"quota": 20.0, "burst": 20.0}),
}
"""How many images, and how the services behave; both share a quota."""


def run(bed: Bed, *, quick: bool) -> Report:
    """Each day in an app of its own."""
    window = 10.0 if quick else 30.0
    days = dict(list(DAYS.items())[::2]) if quick else DAYS
    found = {name: day(bed, *told, window) for name, told in days.items()}
    return Report(table(found), found)


def day(bed: Bed, in_flight: int, behaviour: dict[str, float], window: float) -> Any:
    """Images that were put off come back as their messages can be seen."""
    paths = bed.upload(1, 900)
    bed.behave(**behaviour)
    with bed.app() as app:
        run = app.run(paths, in_flight, window, warm=WARM, deferred=True)
    return run | {"in_flight": in_flight, "behaviour": behaviour, "counts": bed.counts()}


def limit(in_flight: int, behaviour: dict[str, float]) -> float:
    """Images a second that could be had: what the quota lets through; or, where calls are refused
    whatever their number, each of them waits its turn out and is made again."""
    if quota := behaviour.get("quota"):
        return min(quota / CALLS, in_flight / SERVICE_SECONDS)
    refusals = 1 / (1 - behaviour["refused"]) - 1
    return in_flight / (SERVICE_SECONDS + CALLS * refusals * 1.0)


def table(found: dict[str, Any]) -> str:
    """As docs/performance.md has it."""
    head = ["day", "captioned/s", "limit", "of limit", "calls refused", "put off", "failed"]
    rows = []
    for name, run in found.items():
        rate = run["statuses"].get("captioned", 0) / run["seconds"]
        most = limit(run["in_flight"], run["behaviour"])
        counts = run["counts"]
        calls = counts["vision"] + counts["chat"] + counts["refused"]
        ends = run["all_statuses"]
        others = sum(n for status, n in ends.items() if status not in {"captioned", "deferred"})
        rows.append(
            [
                name,
                f"{rate:.2f}",
                f"{most:.2f}",
                f"{rate / most:.0%}",
                f"{counts['refused'] / max(1, calls):.1%}",
                ends.get("deferred", 0),
                others,
            ]
        )
    return markdown(head, rows)
