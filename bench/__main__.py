"""Measures the app: `python -m bench [PART…] [--quick]`, or `make bench`.

Prints tables in markdown, and writes them with JSON and pictures to bench/results. Three
measurements are programs of their own: `python -m bench.speed.round_trips` (requests of lookups in
large tables), `python -m bench.speed.write_cost` (what recording an image costs) and
`python -m bench.speed.restore` (backing up and restoring 10,000 records).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from bench.harness.bed import Bed
from bench.harness.report import Report, machine
from bench.speed import cold_start, cpu, failures, latency, lookups, memory, throughput

PARTS: dict[str, tuple[str, Callable[..., Report]]] = {
    "throughput": ("Throughput", throughput.run),
    "cpu": ("CPU an image", cpu.run),
    "latency": ("Latency", latency.run),
    "memory": ("Memory", memory.run),
    "cold_start": ("Cold start", cold_start.run),
    "lookups": ("Lookups", lookups.run),
    "failures": ("A bad day", failures.run),
}


def main(arguments: list[str]) -> None:
    """Runs the named parts, or all of them."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small counts, in a fraction of the time; the figures vary",
    )
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    print("\n".join(f"{name}: {value}" for name, value in machine().items()))
    with Bed() as bed:
        for name in options.parts or PARTS:
            title, run = PARTS[name]
            report = run(bed, quick=options.quick)
            report.save(name)
            print(f"\n## {title}\n\n{report.text}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
