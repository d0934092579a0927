"""Lookups a second and their latency, alone and while images are captioned."""

from __future__ import annotations

from typing import Any

from bench.harness.bed import Bed
from bench.harness.figures import markdown, percentile
from bench.harness.report import Report

READERS, IN_FLIGHT = 4, 8


def run(bed: Bed, *, quick: bool) -> Report:
    """Creates some hundred records, then measures lookups alone and while more are created."""
    known, seconds = (60, 1.5) if quick else (300, 3.0)
    paths = bed.upload(1, 900)
    beside = 4 * seconds + 4
    with bed.app() as app:
        bed.behave(vision=0.0, chat=0.0)
        app.run(paths[:known], 16, 120.0, warm=0.0, ramp=0.0)
        bed.behave()
        readers = {"threads": READERS, "seconds": seconds, "paths": paths[:known]}
        found = app.run(paths[known:], IN_FLIGHT, beside, warm=0.5, readers=readers)
    return Report(table(found, seconds), found)


def table(found: Any, seconds: float) -> str:
    """The table of docs/internals.md."""
    head = ["lookup", "requests/s", "p50 ms", "p99 ms", "while captioning", "p50 ms", "p99 ms"]
    rows = []
    for name in found["alone"]:
        row: list[str] = [name]
        for where in ("alone", "beside"):
            times = found[where][name]
            row.append(f"{len(times) / seconds:.0f}")
            row += [f"{1000 * percentile(times, share):.1f}" for share in (0.5, 0.99)]
        rows.append(row)
    ingest = found["ingest"]
    rate = ingest["images"] / ingest["seconds"]
    return f"{markdown(head, rows)}\n\nMeanwhile {rate:.1f} images/s were captioned."
