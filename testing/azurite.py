"""Azurite for tests: real blobs, queues and tables on free ports."""

from __future__ import annotations

import os
import random
import signal
import socket
import tempfile
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from captioning.embedded.stack.azurite import StoragePorts, start_azurite
from captioning.embedded.stack.child import Child
from testing.harness.waiting import eventually

BELOW_EPHEMERAL = range(15_000, 32_000)


class Azurite:
    """Azurite for the duration of a `with` block. It stores in memory, unless `persistent`."""

    def __init__(self, *, persistent: bool = False) -> None:
        self.ports = StoragePorts(*free_ports(3))
        self._persistent = persistent
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
        folder, in_memory = Path(self._folder.name), not self._persistent
        self._child = start_azurite(self.ports, folder, in_memory=in_memory)

    def stop(self) -> None:
        """Ends Azurite."""
        if self._child:
            self._child.stop()
            self._child = None

    def crash(self) -> None:
        """Kills a persistent Azurite when everything so far is on its disk, and starts it again.

        It writes every five seconds what it has acknowledged before (3.37), which is the emulator's
        own loss: no app can prevent it.
        """
        marks = {service: uuid.uuid4().hex for service in self.ports.by_service()}
        with BlobServiceClient.from_connection_string(self.connection_string) as blobs:
            blobs.create_container(f"mark-{marks['blob']}")
        with QueueServiceClient.from_connection_string(self.connection_string) as queues:
            queues.create_queue(f"mark-{marks['queue']}")
        with TableServiceClient.from_connection_string(self.connection_string) as tables:
            tables.create_table(f"mark{marks['table']}")
        data = Path(self._folder.name) / "data"
        for service, mark in marks.items():
            file = data / f"__azurite_db_{service}__.json"
            eventually(lambda file=file, mark=mark: mark in file.read_text("utf-8", "replace"))  # type: ignore[misc]
        assert self._child
        os.killpg(self._child.pid, signal.SIGKILL)
        self.stop()
        self.start()

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
