"""How much memory this instance has."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

LEAST = 256
"""MiB of a helper's limit on a very small instance: enough for photos of 12 megapixels."""


def default_limit() -> int:
    """MiB that a helper may use: a quarter of the instance."""
    return max(LEAST, instance_bytes() // 4 // 2**20)


def instance_bytes(root: Path = Path("/")) -> int:
    """The memory of the machine, or of the control group that this process is in, if that is less.
    `root` is where the system's files are."""
    limits = [_bytes_of_machine(root)]
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text("ascii").splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers in {"", "memory"}:
                limits += _limits(root / "sys/fs/cgroup" / controllers, group)
    return min(limits)


def _limits(mounted: Path, group: str) -> list[int]:
    """The limits of a group and of those that it is in, by version 1 and 2 of control groups. In a
    container the group may be named as the host sees it, and only the mounted one is there."""
    own = mounted / group.strip("/")
    limits = []
    for folder in [own, *own.parents]:
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # "max" is no number
                limits.append(int((folder / name).read_text("ascii")))
        if folder == mounted:
            break
    return limits


def _bytes_of_machine(root: Path) -> int:
    with suppress(OSError, ValueError, LookupError):
        for line in (root / "proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
