"""CPU time of the app per image, by step. Waiting for the services uses none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.harness.bed import Bed
from bench.harness.figures import markdown
from bench.harness.plot import bars
from bench.harness.report import Report
from bench.speed.throughput import measure

IN_FLIGHT = 8
"""Few enough that two cores are not saturated, so that no time is spent waiting for them."""
SHOWN = 10
ALL, REST = "**all of it**", "all else: threads, this bench"


def run(bed: Bed, *, quick: bool) -> Report:
    """Measures each step for both sizes of images."""
    window = 4.0 if quick else 12.0
    found = {size: measure(bed, size, IN_FLIGHT, window, "--meter") for size in (1, 12)}
    return Report(table(found), list(found.values()), {"overhead": picture(found)})


def table(found: dict[int, Any]) -> str:
    """The table of docs/internals.md: milliseconds of CPU by step."""
    steps = {size: dict(_steps(run)) for size, run in found.items()}
    names = sorted({name for rows in steps.values() for name in rows} - {REST, ALL})
    names.sort(key=lambda name: -sum(rows.get(name, 0.0) for rows in steps.values()))
    head = ["step, calls an image", *(f"{size} MP, ms" for size in found)]
    calls = {
        name: max(run["calls"].get(name, 0) / run["images"] for run in found.values())
        for name in names
    }
    rows = [
        [
            name if name in (REST, ALL) else f"{name}, {calls[name]:.1f}",
            *(f"{steps[size].get(name, 0.0):.2f}" for size in found),
        ]
        for name in [*names, REST, ALL]
    ]
    return markdown(head, rows)


def picture(found: dict[int, Any]) -> str:
    """A chart of the most expensive steps, and of all others together."""
    steps = {size: dict(_steps(run)) for size, run in found.items()}
    names = sorted({name for own in steps.values() for name in own} - {ALL})
    names.sort(key=lambda name: -sum(own.get(name, 0.0) for own in steps.values()))
    rows = {name: [own.get(name, 0.0) for own in steps.values()] for name in names[:SHOWN]}
    rows["all others"] = [
        sum(own.get(name, 0.0) for name in names[SHOWN:]) for own in steps.values()
    ]
    return bars("CPU of an image, ms", rows, [f"{size} MP" for size in found])


def _steps(run: Any) -> Iterator[tuple[str, float]]:
    """Milliseconds per image of each step, of the time that no step accounts for, and of all."""
    images = max(1, run["images"])
    yield from ((name, 1000 * spent / images) for name, spent in run["steps"].items())
    yield REST, 1000 * (run["cpu_seconds"] - sum(run["steps"].values())) / images
    yield ALL, 1000 * run["cpu_seconds"] / images
