"""What this process and its helpers use of the CPU and the memory (Linux; 0 elsewhere)."""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from pathlib import Path


def cpu_seconds_of_app() -> float:
    """CPU seconds of this process, of its living helpers and of those that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = sum(cpu_seconds(pid) for pid in helpers())
    return time.process_time() + ended.ru_utime + ended.ru_stime + living


def helpers() -> list[int]:
    """The processes that this one has started and that have not ended."""
    found, own = [], str(os.getpid())
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[1] == own:
                found.append(int(stat.parent.name))
    return found


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process so far, in user and system mode."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int | str, name: str) -> int:
    """A figure of /proc/PID/status in bytes: VmRSS now, VmHWM at most so far."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0
