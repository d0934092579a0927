"""Peak memory of the app by images in flight, and with a blob that is far too large."""

from __future__ import annotations

from typing import Any

from bench.harness.bed import Bed
from bench.harness.figures import markdown
from bench.harness.report import Report

IN_FLIGHT = 64
HUGE = 5 * 1024**3
MIB = 1024 * 1024


def run(bed: Bed, *, quick: bool) -> Report:
    """Runs an app for each row, because the system reports only the peak of a process."""
    many = 16 if quick else IN_FLIGHT
    bed.behave()
    rows = {}
    for in_flight, megapixels in ((1, 1), (1, 12), (many, 1), (many, 12)):
        rows[f"{in_flight} x {megapixels} MP"] = peak(bed, megapixels, in_flight)
    huge = bed.allocate("huge.jpg", HUGE)
    with bed.app() as app:
        before = app.run([], 1, 0.0, warm=0.0)
        after = app.run([huge], 1, 60.0, warm=0.0, ramp=0.0)
    rows["a blob of 5 GB"] = after | {"before": before["peak_bytes"]}
    return Report(table(rows, many), rows)


def peak(bed: Bed, megapixels: int, in_flight: int) -> Any:
    """A run in which each thread processes two images, on average."""
    paths = bed.upload(megapixels, 2 * in_flight)
    with bed.app() as app:
        return app.run(paths, in_flight, 60.0, warm=0.0, ramp=0.0)


def table(rows: dict[str, Any], many: int) -> str:
    """The table of docs/internals.md: peaks in MiB."""
    cells = []
    for name, row in rows.items():
        most = row["peak_bytes"] / MIB
        size = name.rpartition(" x ")[2]
        alone = rows.get(f"1 x {size}", row)["peak_bytes"] / MIB
        each = f"{(most - alone) / (many - 1):.1f}" if name.startswith(f"{many} x") else ""
        if "before" in row:
            each = f"{most - row['before'] / MIB:.1f}"
        outcome = ", ".join(f"{n} {status}" for status, n in row["all_statuses"].items())
        cells.append([name, f"{most:.0f}", each, outcome])
    return markdown(["in flight", "peak MiB", "MiB an image", "became"], cells)
