"""`up` as a process, on ports and in a folder of one test."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioning.embedded.stack.azurite import is_taken
from testing.azurite import free_ports
from testing.harness.command_line import MODULE
from testing.harness.processes import started
from testing.harness.waiting import HUNG_SECONDS
from testing.paths import ROOT


@dataclass
class StackLocation:
    """Ports and a data folder of one test."""

    data: Path
    app: int
    storage: int

    @property
    def options(self) -> list[str]:
        ports = ["--port", str(self.app), "--storage-port", str(self.storage)]
        return [*ports, "--data", str(self.data)]

    @property
    def make_variables(self) -> list[str]:
        return [f"PORT={self.app}", f"STORAGE_PORT={self.storage}", f"DATA={self.data}"]

    def processes(self) -> dict[int, str]:
        """Running processes that use these ports: command lines by process id."""
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True
        )
        pairs = (line.split(None, 1) for line in listed.stdout.splitlines())
        ours = {str(self.app), str(self.storage), str(self.storage + 1)}
        return {int(pid): args for pid, args in pairs if ours.intersection(args.split())}

    def is_empty(self) -> bool:
        """Whether no process uses the ports, and none of them is taken."""
        ports = (self.app, *range(self.storage, self.storage + 3))
        return not self.processes() and not any(is_taken(port) for port in ports)

    def get(self, target: str) -> Any:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.app}{target}", timeout=HUNG_SECONDS
        ) as answer:
            return json.load(answer)


def place(data: Path) -> StackLocation:
    """A location with free ports, of which three in a row are for storage."""
    app, storage, *_ = free_ports(4, in_a_row=True)
    return StackLocation(data, app, storage)


@contextmanager
def running(
    where: StackLocation, *options: str, environ: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Runs `up` as a process with piped output, which is killed at the end of the block."""
    command = [*MODULE, "up", *where.options, *options]
    with started(
        command,
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def serving(process: subprocess.Popen[str]) -> str:
    """Reads the output until the app serves; returns it."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Serving"):
            return "".join(lines)
    raise AssertionError(f"it ended: {''.join(lines)}{process.stderr and process.stderr.read()}")


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Waits for the process to end; its exit status, the rest of its output, and stderr."""
    output, errors = process.communicate(timeout=HUNG_SECONDS)
    return process.returncode, output, errors


@dataclass
class FirstRun:
    """The result of the first `up --once`. `left` is whether it left anything running."""

    where: StackLocation
    code: int
    output: str
    errors: str
    left: bool
