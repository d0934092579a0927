"""Azurite for tests: real blobs, queues and tables on free ports."""

from __future__ import annotations

import random
import socket
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from captioning.embedded.stack.azurite import StoragePorts, start_azurite
from captioning.embedded.stack.child import Child

BELOW_EPHEMERAL = range(15_000, 32_000)


class Azurite:
    """Azurite for the duration of a `with` block. It stores in memory."""

    def __init__(self) -> None:
        self.ports = StoragePorts(*free_ports(3))
        self._child: Child | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="azurite-")

    @property
    def connection_string(self) -> str:
        """For `from_connection_string` of every storage client."""
        return self.ports.connection_string

    @property
    def pid(self) -> int:
        """The id of its process, while it runs."""
        assert self._child
        return self._child.pid

    def start(self) -> None:
        """Starts Azurite and waits until its three ports answer."""
        self._child = start_azurite(self.ports, Path(self._folder.name), in_memory=True)

    def stop(self) -> None:
        """Ends Azurite."""
        if self._child:
            self._child.stop()
            self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()
        self._folder.cleanup()


def free_ports(count: int, *, in_a_row: bool = False) -> list[int]:
    """Ports that are free, and below the range from which the system takes ports for outgoing
    connections."""
    while True:
        first = random.choice(BELOW_EPHEMERAL)
        row = list(range(first, first + count))
        ports = row if in_a_row else random.sample(BELOW_EPHEMERAL, count)
        with ExitStack() as stack, suppress(OSError):
            for port in ports:
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return ports
