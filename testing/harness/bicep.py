"""The Bicep compiler: where it is, and how tests run it."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from testing.paths import ON_CI, ROOT

INFRA = ROOT / "infra"
SNAPSHOTS = INFRA / "snapshots"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
WHERE = ["--subscription-id", SUBSCRIPTION, "--location", "westeurope"]
"""The subscription and location of snapshots; names contain a hash of them."""
OF_AZ = Path("~/.azure/bin/bicep").expanduser()
"""Where `az bicep install` installs it. `az bicep` itself has no command for snapshots."""
NOT_FOUND = (
    "there is no Bicep compiler at ../shared/tools/bicep or on PATH; install one with"
    " `az bicep install`"
)


@cache
def compiler() -> Path | None:
    """The path of the compiler; None if there is none."""
    found = [ROOT.parent / "shared/tools/bicep", Path(shutil.which("bicep") or "/nowhere"), OF_AZ]
    return next((path for path in found if path.exists()), None)


needs_compiler = pytest.mark.skipif(compiler() is None and not ON_CI, reason=NOT_FOUND)
"""For tests that compile: without a compiler they are skipped on a developer's machine, where
`make test` does not install one, and fail on CI."""


def bicep(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs the compiler; its output has the diagnostics."""
    command = compiler()
    assert command, NOT_FOUND
    return subprocess.run(
        [command, *arguments],
        cwd=ROOT,
        env=os.environ | {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def snapshot(parameters: Path, mode: str) -> subprocess.CompletedProcess[str]:
    """Writes the snapshot beside a file of parameters (`overwrite`), or compares it
    (`validate`)."""
    group = [] if "main.bicep" in parameters.read_text("utf-8") else ["--resource-group", "rg"]
    return bicep("snapshot", parameters, "--mode", mode, *WHERE, *group)
