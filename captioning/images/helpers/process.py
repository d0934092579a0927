"""A helper as the app sees it: a process that it asks, kills and replaces."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from captioning.errors import ServiceUnavailable
from captioning.images.helpers.channel import Channel, Said

START_SECONDS = 60.0
"""Seconds that a helper may take to import its decoders."""
PATIENCE = 1.0
"""Seconds after which a task counts as slow."""
KEPT_BLOCKS = 16
"""MiB that Pillow keeps for the next picture. To get them from the system each time would cost a
third of the CPU time of a picture of a megapixel."""
MOST_BYTES = 64 * 1024 * 1024
"""Bytes of an answer: more than any JPEG of 4,096 x 4,096 pixels has."""


class OutOfTime(Exception):
    """The task has taken longer than it may."""


class OutOfMemory(Exception):
    """The task, or the whole instance, needs more memory than there is."""


class Died(Exception):
    """The helper has ended, or said what no helper says."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How helpers are started. `memory` is in MiB, `tasks` the module with what they can do;
    `environ` holds what Python needs to start, and no secret."""

    memory: int
    niceness: int
    tasks: str
    environ: Mapping[str, str] = field(repr=False)


class Helper:
    """A process that works on one task at a time. ServiceUnavailable where it does not start."""

    def __init__(self, kind: Kind) -> None:
        near, far = socket.socketpair()
        self._channel = Channel(near)
        module = "captioning.images.helpers.worker"
        limits = [str(kind.memory), str(kind.niceness), kind.tasks]
        try:
            with far:
                self._process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
                    [sys.executable, "-P", "-m", module, *limits],
                    stdin=far.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=_environ(kind),
                )
        except OSError as error:
            self._channel.close()
            raise _not_started() from error
        try:
            self._channel.receive(0, time.monotonic() + START_SECONDS)
        except (OSError, ValueError) as error:
            self.end()
            raise _not_started() from error

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def ask(
        self, said: Said, data: bytes, seconds: int, on_slow: Callable[[], None]
    ) -> tuple[Said, bytes]:
        """The answer to a task. `on_slow` is called once if it takes longer than PATIENCE.

        After an OutOfTime, OutOfMemory or Died the helper is of no use any more.
        """
        until = time.monotonic() + seconds
        try:
            self._channel.send({**said, "seconds": seconds}, data, until)
            if not self._channel.has_answer(min(PATIENCE, seconds)):
                on_slow()
            return self._channel.receive(MOST_BYTES, until)
        except TimeoutError:
            raise OutOfTime from None
        except (OSError, ValueError) as error:
            raise self._death() from error

    def end(self) -> None:
        """Kills the process and waits for its end, so that no zombie is left."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _death(self) -> Exception:
        """Why the process has ended."""
        self._process.poll()
        self.end()
        number = -self._process.returncode
        if number == signal.SIGXCPU:
            return OutOfTime()
        # Nobody but the system kills a helper of a living app: it does when memory runs out.
        return OutOfMemory() if number == signal.SIGKILL else Died()


def _environ(kind: Kind) -> dict[str, str]:
    # The Functions worker adds its packages while it runs. A start of Python that knows nothing of
    # that worker must find them, too.
    path = os.pathsep.join(map(os.path.abspath, sys.path))
    return {**kind.environ, "PYTHONPATH": path, "PILLOW_BLOCKS_MAX": str(KEPT_BLOCKS)}


def _not_started() -> ServiceUnavailable:
    return ServiceUnavailable(
        "The process that decodes pictures does not start: see the app's log. The instance may lack"
        " memory."
    )
