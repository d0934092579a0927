"""Azurite, the storage emulator: blobs, queues and tables on this machine."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from captioning.embedded.stack.child import Child, StackError

PROGRAM = Path(__file__).parents[3] / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
USUAL_PORT = 10_000
ACCOUNT = "devstoreaccount1"
PUBLIC_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""The same for every Azurite and documented: not a secret."""


@dataclass(frozen=True, slots=True)
class StoragePorts:
    """Where Azurite's three services listen, on 127.0.0.1."""

    blob: int
    queue: int
    table: int

    @classmethod
    def following(cls, first: int) -> Self:
        """Three consecutive ports, such as the usual 10000, 10001 and 10002."""
        return cls(first, first + 1, first + 2)

    def by_service(self) -> dict[str, int]:
        """The ports by service: `blob`, `queue` and `table`."""
        return {"blob": self.blob, "queue": self.queue, "table": self.table}

    @property
    def connection_string(self) -> str:
        """The connection string, for every storage client; the short form for the usual ports."""
        if self == StoragePorts.following(USUAL_PORT):
            return "UseDevelopmentStorage=true"
        endpoints = "".join(
            f"{service.title()}Endpoint=http://127.0.0.1:{port}/{ACCOUNT};"
            for service, port in self.by_service().items()
        )
        account = f"AccountName={ACCOUNT};AccountKey={PUBLIC_KEY};"
        return f"DefaultEndpointsProtocol=http;{account}{endpoints}"


def start_azurite(ports: StoragePorts, folder: Path, *, in_memory: bool = False) -> Child:
    """Starts Azurite and waits until its three ports answer.

    The folder keeps its log and, unless `in_memory`, its data. StackError if it is not installed or
    does not start.
    """
    node = shutil.which("node")
    if node is None or not PROGRAM.exists():
        raise StackError("Azurite is not installed: run `make setup` (it needs Node.js 20+).")
    options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    for service, port in ports.by_service().items():
        options += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port)]
    options += ["--inMemoryPersistence"] if in_memory else ["--location", str(folder / "data")]
    command = [node, str(PROGRAM), *options]
    azurite = Child("Azurite", command, folder / "azurite.log", os.environ)
    try:
        azurite.wait_until(lambda: all(is_taken(port) for port in ports.by_service().values()))
    except BaseException:
        azurite.stop()
        raise
    return azurite


def is_taken(port: int) -> bool:
    """Whether something listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
