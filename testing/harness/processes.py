"""Processes that tests start and interrupt."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def started(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """Starts a process, with the options of Popen, that SIGINT ends as Ctrl-C does.

    A shell without job control starts its background jobs (`make test &` in a script) with SIGINT
    ignored, and processes inherit that. A signal that has a handler is reset to its default action
    when a program is executed, so there is a handler while the process starts.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command, text=True, **options)
    finally:
        signal.signal(signal.SIGINT, before)
