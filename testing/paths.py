"""Where tests run: the repository, its samples, and whether this is CI."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "samples"
ON_CI = bool(os.environ.get("CI"))
"""CI skips nothing: a test that lacks a part fails there."""
