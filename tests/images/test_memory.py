"""How much memory an instance has, by the files of a system."""

from __future__ import annotations

from pathlib import Path

import pytest

from captioning.images.helpers.memory import instance_bytes

GIB = 2**30


def system(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal: 4194304 kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "ascii")
    return root


@pytest.mark.parametrize(
    ("files", "size"),
    [
        ({}, 4 * GIB),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": str(2 * GIB)}, 2 * GIB),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 4 * GIB),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": str(8 * GIB)}, 4 * GIB),
        (
            {
                "proc/self/cgroup": "0::/app/worker\n",
                "sys/fs/cgroup/app/memory.max": str(GIB),
                "sys/fs/cgroup/app/worker/memory.max": "max\n",
            },
            GIB,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/\n4:memory:/docker/as-the-host-sees-it\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(3 * GIB),
            },
            3 * GIB,
        ),
        ({"proc/self/cgroup": "nonsense\n"}, 4 * GIB),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, files: dict[str, str], size: int) -> None:
    assert instance_bytes(system(tmp_path, files)) == size


def test_a_system_without_such_files_is_asked_itself(tmp_path: Path) -> None:
    assert instance_bytes(tmp_path) > 2**26
