"""Images a second by how many are in flight, against the ideal and against one at a time."""

from __future__ import annotations

import math
from typing import Any

from bench.bed import Bed
from bench.figures import ideal, markdown, percentile
from bench.report import Report

LEVELS = (1, 8, 16, 32, 64)
MEGAPIXELS = (1, 12)
SERVICE_SECONDS = 1.2
EDGES = 7.0
"""Seconds before and after the watch in which images are needed too."""
MOST_IMAGES = {1: 1_000, 12: 450}
"""Storage is in memory."""


def measure(bed: Bed, megapixels: int, in_flight: int, window: float, *options: str) -> Any:
    """One run in a fresh app, with the services' mean time in it."""
    seconds = window + EDGES
    wanted = math.ceil(ideal(in_flight, SERVICE_SECONDS) * seconds) + in_flight
    paths = bed.upload(megapixels, min(wanted, MOST_IMAGES[megapixels]))
    bed.behave()
    with bed.app(*options) as app:
        run = app.run(paths, in_flight, window)
    counts = bed.counts()
    drawn = counts["vision_seconds"] / counts["vision"] + counts["chat_seconds"] / counts["chat"]
    rate = run["images"] / run["seconds"]
    best = ideal(in_flight, drawn)
    return {
        **run,
        "megapixels": megapixels,
        "in_flight": in_flight,
        "rate": rate,
        "ideal": best,
        "share": rate / best,
        "cpu_ms": 1000 * run["cpu_seconds"] / max(1, run["images"]),
        "counts": counts,
    }


def run(bed: Bed, *, quick: bool) -> Report:
    """Every level and size."""
    window = 4.0 if quick else 10.0
    levels = (1, 16) if quick else LEVELS
    found = [measure(bed, size, level, window) for size in MEGAPIXELS for level in levels]
    return Report(table(found), found)


def table(results: list[Any]) -> str:
    """As docs/performance.md has it."""
    head = [
        "megapixels",
        "in flight",
        "images/s",
        "ideal",
        "of ideal",
        "p50 s",
        "p99 s",
        "CPU ms an image",
    ]
    rows = [
        [
            r["megapixels"],
            r["in_flight"],
            f"{r['rate']:.2f}",
            f"{r['ideal']:.2f}",
            f"{r['share']:.0%}",
            f"{percentile(r['took'], 0.5):.2f}",
            f"{percentile(r['took'], 0.99):.2f}",
            f"{r['cpu_ms']:.1f}",
        ]
        for r in results
    ]
    return markdown(head, rows)
