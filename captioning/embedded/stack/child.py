"""A child process that ends with us, and everything it started with it."""

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
"""Core Tools download their extensions at the first start."""
STOP_SECONDS = 15.0


class StackError(Exception):
    """The stack cannot start or go on; the message says what to do."""


class Child:
    """A process in a group of its own, so that Ctrl-C reaches it through us, and only once.

    It is kept on a leash: on Linux it ends even when we are killed.
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
        """The command's process id, and its group's."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Returns when it is ready; StackError when it ends or stays silent instead."""
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if not self.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise StackError(
                    f"{self.name} did not start; {self._log} ends with:\n{self.tail()}"
                )
            time.sleep(0.05)

    def tail(self) -> str:
        """The last lines it wrote."""
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-15:])

    def stop(self) -> None:
        """Asks it to end, then makes its whole group end."""
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
