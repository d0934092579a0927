"""python -m bench.scale [--quick] [--images N] [--only bursts,streams,…] [--measure]

Prints tables, and writes their figures and charts to bench/results. A scenario of a million images
takes some minutes; `--quick` takes seconds for all of them. `--measure` also runs the app.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing import Pool

from bench.scale import limits, scenarios
from bench.scale.calibration import compared
from bench.scale.figures import Figures, chart, simulate, table
from bench.scale.scenarios import Scenario
from testing.paths import ROOT

RESULTS = ROOT / "bench/results"


@dataclass(frozen=True, slots=True)
class Part:
    """A table: its scenarios, and how many images each has, normally and with `--quick`."""

    scenarios: Callable[[int], Iterator[Scenario]]
    images: int
    quick: int


PARTS = {
    "bursts": Part(scenarios.bursts, 1_000_000, 2_000),
    "streams": Part(scenarios.streams, 1_000_000, 2_000),
    "naive": Part(scenarios.naive, 20_000, 2_000),
    "instances": Part(scenarios.instances, 50_000, 2_000),
    "budgets": Part(scenarios.budgets, 20_000, 500),
    "bad_days": Part(scenarios.bad_days, 20_000, 500),
}


def main() -> None:
    """Runs the parts that are named."""
    asked = _arguments()
    RESULTS.mkdir(exist_ok=True)
    if asked.measure:
        print(compared())
    for name in asked.only.split(","):
        part = PARTS[name]
        images = part.quick if asked.quick else asked.images or part.images
        with Pool(asked.processes) as pool:
            rows = pool.map(simulate, list(part.scenarios(images)), chunksize=1)
        print(f"\n### {name}\n\n{table(rows)}", flush=True)
        _write(name, rows)
    print(f"\n### limits\n\n{limits.table()}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--images", type=int)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--processes", type=int, default=1)
    return parser.parse_args()


def _write(name: str, rows: list[Figures]) -> None:
    document = [asdict(row) for row in rows]
    (RESULTS / f"scale-{name}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    (RESULTS / f"scale-{name}.svg").write_text(chart(rows), "utf-8")


if __name__ == "__main__":
    main()
