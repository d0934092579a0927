"""Renews the snapshots of the infrastructure: `python -m testing.harness.renew_snapshots`."""

from __future__ import annotations

import sys

from testing.harness.bicep import SNAPSHOTS, snapshot

for parameters in sorted(SNAPSHOTS.glob("*.bicepparam")):
    done = snapshot(parameters, "overwrite")
    sys.stdout.write(f"{parameters.name}: {done.stderr or done.stdout or 'written'}\n")
