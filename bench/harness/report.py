"""The report of a part of the bench, and its files."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testing.paths import ROOT

RESULTS = ROOT / "bench/results"


@dataclass(frozen=True)
class Report:
    """Tables in markdown, the data they show, and pictures by name."""

    text: str
    data: Any
    pictures: dict[str, str] = field(default_factory=dict)

    def save(self, part: str) -> None:
        """Writes `PART.json`, `PART.md` and the pictures to bench/results."""
        RESULTS.mkdir(exist_ok=True)
        document = {"part": part, **machine(), "data": self.data}
        (RESULTS / f"{part}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        (RESULTS / f"{part}.md").write_text(self.text + "\n", "utf-8")
        for name, picture in self.pictures.items():
            (RESULTS / f"{name}.svg").write_text(picture, "utf-8")


def machine() -> dict[str, str]:
    """The date, the machine, and the version of the app."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} cores, {_processor()}, {platform.system()}",
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
