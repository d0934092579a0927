"""A child process that ends with its parent, together with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
READY_SECONDS = 180.0
"""Seconds that a child may take to be ready: at their first start, Core Tools download their
extensions."""
STOP_SECONDS = 15.0


class StackError(Exception):
    """The stack cannot start or continue; the message says what to do."""


class Child:
    """A process in a group of its own, so that Ctrl-C reaches it only through its parent, and once.

    On Linux it ends even when the parent is killed: see `leash.py`.
    """

    def __init__(self, name: str, command: list[str], log: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
                [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the process, and of its group."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Waits until `ready` is true. StackError, with the end of the log, if the process ends
        before that or takes longer than READY_SECONDS."""
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if not self.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise StackError(
                    f"{self.name} did not start; {self._log} ends with:\n{self.tail()}"
                )
            time.sleep(0.05)

    def tail(self) -> str:
        """The last lines of its log."""
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-15:])

    def stop(self) -> None:
        """Asks the process to end, waits for it, and kills what is left of its group."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return
