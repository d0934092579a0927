"""Images a second by images in flight, compared with the ideal and with the baseline."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import Any

from bench.harness.bed import Bed
from bench.harness.figures import ideal, markdown, percentile
from bench.harness.plot import lines
from bench.harness.report import Report
from testing.paths import ROOT

LEVELS = (1, 8, 16, 32, 64)
MEGAPIXELS = (1, 12)
SERVICE_SECONDS = 1.2
EDGES = 7.0
"""Seconds before and after the measured window for which images are needed as well."""
MOST_IMAGES = {1: 1_000, 12: 450}
"""By megapixels. Storage is in memory, which limits their number."""
HEAD = [
    "megapixels",
    "in flight",
    "images/s",
    "ideal",
    "of ideal",
    "p50 s",
    "p99 s",
    "CPU ms an image",
    "storage",
    "services",
]


def run(bed: Bed, *, quick: bool) -> Report:
    """Measures every size at every level, and the baseline."""
    window = 4.0 if quick else 10.0
    levels = (1, 16) if quick else LEVELS
    found = []
    for size in MEGAPIXELS:
        bed.upload(size, 32)
        found.append(sample(bed, size, window))
        found += [measure(bed, size, level, window) for level in levels]
    return Report(table(found), found, {"throughput": picture(found, levels)})


def measure(bed: Bed, megapixels: int, in_flight: int, window: float, *options: str) -> Any:
    """One run, in a fresh app."""
    wanted = math.ceil(ideal(in_flight, SERVICE_SECONDS) * (window + EDGES)) + in_flight
    paths = bed.upload(megapixels, min(wanted, MOST_IMAGES[megapixels]))
    bed.behave()
    with bed.app(*options) as app:
        before = bed.cpu()
        run = app.run(paths, in_flight, window)
        run["beside"] = {name: now - before[name] for name, now in bed.cpu().items()}
    return judged(run, bed.counts(), megapixels, in_flight)


def sample(bed: Bed, megapixels: int, window: float) -> Any:
    """The baseline, in a process of its own."""
    bed.behave()
    environ, before = bed.environ(), bed.cpu()
    done = subprocess.run(
        [sys.executable, "-m", "bench.harness.baseline", str(window), str(megapixels)],
        cwd=ROOT,
        env={**os.environ, **environ, "IMAGESTORAGE": environ["ImageStorage"]},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    run = json.loads(done.stdout)
    run["beside"] = {name: now - before[name] for name, now in bed.cpu().items()}
    return judged(run, bed.counts(), megapixels, 1) | {"sample": True}


def judged(run: Any, counts: Any, megapixels: int, in_flight: int) -> Any:
    """The run with its rate, and the ideal for the mean time that the services were set to take."""
    done = max(1, counts["chat"])
    drawn = counts["vision_seconds"] / counts["vision"] + counts["chat_seconds"] / counts["chat"]
    rate, best = run["images"] / run["seconds"], ideal(in_flight, drawn)
    return {
        **run,
        "sample": False,
        "megapixels": megapixels,
        "in_flight": in_flight,
        "rate": rate,
        "ideal": best,
        "share": rate / best,
        "cpu_ms": 1000 * run["cpu_seconds"] / max(1, run["images"]),
        "counts": counts,
        "beside_ms": {name: 1000 * spent / done for name, spent in run.pop("beside").items()},
    }


def table(found: list[Any]) -> str:
    """The table of docs/internals.md."""
    rows = [
        [
            run["megapixels"],
            "sample, 1" if run["sample"] else run["in_flight"],
            f"{run['rate']:.2f}",
            f"{run['ideal']:.2f}",
            f"{run['share']:.0%}",
            f"{percentile(run['took'], 0.5):.2f}",
            f"{percentile(run['took'], 0.99):.2f}",
            f"{run['cpu_ms']:.1f}",
            *(f"{run['beside_ms'].get(name, 0.0):.1f}" for name in ("storage", "services")),
        ]
        for run in found
    ]
    return markdown(HEAD, rows)


def picture(found: list[Any], levels: tuple[int, ...]) -> str:
    """A chart of the rates by level."""
    series = {"ideal": [ideal(level, SERVICE_SECONDS) for level in levels]}
    for size in MEGAPIXELS:
        own = [run for run in found if run["megapixels"] == size and not run["sample"]]
        series[f"{size} MP"] = [run["rate"] for run in own]
    return lines("Images a second", "images in flight", levels, series, dashed="ideal")
