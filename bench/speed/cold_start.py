"""Cold start: the time to import `function_app`, and what the import has loaded."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import Any

from bench.harness.bed import Bed
from bench.harness.figures import markdown
from bench.harness.report import Report
from testing.paths import ROOT

CODE = """
import json, socket, sys, time
made = []
class Counted(socket.socket):
    def connect(self, address):
        made.append(str(address))
        return super().connect(address)
socket.socket = Counted
began, cpu = time.perf_counter(), time.process_time()
import function_app
imported, cpu = time.perf_counter() - began, time.process_time() - cpu
known = sorted(set(sys.argv[1:]) & set(sys.modules))
before = {"services": function_app._services is not None, "loaded": known, "connections": len(made)}
began = time.perf_counter()
function_app.services()
print(json.dumps({"import": imported, "cpu": cpu, "services": time.perf_counter() - began, **{
    "before": before}}))
"""
CLIENTS = ("openai", "captioning.app.services", "captioning.vision.client", "azure.data.tables")
"""Modules that build clients; the import should load none of them."""


def run(bed: Bed, *, quick: bool) -> Report:
    """Starts fresh interpreters one after the other. The first fills caches and is not counted."""
    runs = [start(bed) for _ in range((3 if quick else 9) + 1)][1:]
    return Report(table(runs), runs)


def start(bed: Bed) -> Any:
    """One start, in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *CLIENTS],
        cwd=ROOT,
        env={**os.environ, **bed.environ()},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def table(runs: list[Any]) -> str:
    """The table of docs/internals.md, in seconds."""
    rows = []
    for name, key in (
        ("`import function_app`", "import"),
        ("CPU of it", "cpu"),
        ("`services()`, with storage made", "services"),
    ):
        times = [run[key] for run in runs]
        rows.append([name, *(f"{f(times):.2f}" for f in (statistics.median, min, max))])
    before = runs[0]["before"]
    loaded = ", ".join(before["loaded"]) or "none"
    text = markdown(["of a fresh interpreter", "median s", "least", "most"], rows)
    built = "built" if before["services"] else "not built"
    return (
        f"{text}\n\nAfter the import: services {built}, {before['connections']} connections;"
        f" loaded of {', '.join(CLIENTS)}: {loaded}."
    )
