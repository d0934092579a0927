"""The process of a helper: `python -m captioning.images.helpers.worker MEMORY NICENESS TASKS`.

MEMORY is in MiB; TASKS is the module whose `run` does the work. Requests come and answers go over
the socket that is its standard input, one after the other, until the app closes it.
"""

from __future__ import annotations

import importlib
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from captioning.errors import ImageRejected
from captioning.images.helpers.channel import Channel, Said

MOST_BYTES = 1024 * 1024 * 1024
Run = Callable[[Said, bytes, int], tuple[Said, bytes]]


def main() -> None:
    """Serves until the app closes the socket or ends."""
    memory, niceness, tasks = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    for ignored in (signal.SIGINT, signal.SIGTERM):  # the app ends its helpers itself
        signal.signal(ignored, signal.SIG_IGN)
    os.nice(niceness)
    run: Run = importlib.import_module(tasks).run
    _limit_memory(memory)
    channel = Channel(socket.socket(fileno=0))
    threading.Thread(target=_end_with_the_app, daemon=True).start()
    channel.send({})
    # What libraries print from here on may quote the picture.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with suppress(ConnectionError):
        while True:
            said, data = channel.receive(MOST_BYTES)
            _limit_time(said["seconds"])
            channel.send(*_answer(run, said, data, memory))


def _answer(run: Run, said: Said, data: bytes, memory: int) -> tuple[Said, bytes]:
    try:
        return run(said, data, memory)
    except ImageRejected as error:
        return {"rejected": error.code, "message": error.message}, b""
    except MemoryError:
        return {"lacks": "memory"}, b""
    except Exception as error:  # noqa: BLE001 - a fault of the app, which raises it there
        return {"fault": type(error).__name__}, b""


def _limit_memory(memory: int) -> None:
    """Has the system refuse more memory. RLIMIT_DATA counts what is allocated, and not the code of
    libraries nor address space that is only reserved, as RLIMIT_AS does."""
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (memory << 20, memory << 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):  # where the instance runs out of memory, this process goes first
            Path("/proc/self/oom_score_adj").write_text("500", "ascii")


def _limit_time(seconds: int) -> None:
    """Has the system end this process once it has used so much more of the CPU."""
    used = int(time.process_time()) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, hard))


def _end_with_the_app() -> None:
    """Ends this process when the other end of the socket is closed, whatever a decoder does."""
    other_end = select.poll()
    other_end.register(0, 0)  # no event is asked for: a hang-up is always told
    other_end.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
