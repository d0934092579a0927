"""The local stack: Azurite for storage and a Functions host, in a folder of its own."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from captioning.embedded.stack.azurite import StoragePorts, is_taken, start_azurite
from captioning.embedded.stack.child import Child, StackError
from captioning.transport import ask_local

HostKind = Literal["embedded", "func"]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the stack listens, on 127.0.0.1. The ports of queues and tables follow the blob
    port."""

    app: int
    blob: int

    @property
    def storage(self) -> StoragePorts:
        """The ports of Azurite."""
        return StoragePorts.following(self.blob)

    def check(self) -> None:
        """Raises StackError, with the way to choose others, if any port is taken."""
        wanted = {"the app": ("PORT", self.app)}
        for service, port in self.storage.by_service().items():
            wanted[f"{service}s (Azurite)"] = ("STORAGE_PORT", port)
        taken = [(what, option, port) for what, (option, port) in wanted.items() if is_taken(port)]
        if not taken:
            return
        options = dict.fromkeys(option for _, option, _ in taken)
        base = {"PORT": self.app, "STORAGE_PORT": self.blob}
        others = " ".join(f"{option}={_another(base[option])}" for option in options)
        ports = "; ".join(f"port {port}, wanted for {what}, is taken" for what, _, port in taken)
        raise StackError(
            f"{ports[0].upper()}{ports[1:]}. Stop what uses it or choose another: make run {others}"
        )


class Stack:
    """Azurite and, after `start_host`, the Functions host; a context manager that ends both.

    `folder` keeps data and logs, and only one stack at a time can use it. `environ` is the
    environment of the app with the storage connection replaced.
    """

    def __init__(self, ports: Ports, folder: Path, environ: Mapping[str, str]) -> None:
        self.ports = ports
        connection_string = ports.storage.connection_string
        storage = {"ImageStorage": connection_string, "AzureWebJobsStorage": connection_string}
        elsewhere = {name for name in environ if name.startswith("ImageStorage__")}
        kept = {name: value for name, value in environ.items() if name not in elsewhere}
        self.environ = {**kept, **storage}
        self._folder = folder
        self._children: list[Child] = []
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self.ports.check()
        with ExitStack() as held:
            held.enter_context(locked(self._folder))
            self._children.append(start_azurite(self.ports.storage, self._folder))
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        with self._held:
            while self._children:  # the host first, because it uses storage
                self._children.pop().stop()

    @property
    def url(self) -> str:
        """The address of the app, without a trailing slash."""
        return f"http://127.0.0.1:{self.ports.app}"

    def start_host(self, kind: HostKind) -> None:
        """Starts the app and waits until it answers. StackError if it does not."""
        command = [sys.executable, "-m", "captioning.embedded.host"]
        if kind == "func":
            command = ["func", "start"]
        binaries = str(Path(sys.executable).parent)
        env = {**self.environ, "PATH": f"{binaries}{os.pathsep}{self.environ.get('PATH', '')}"}
        command += ["--port", str(self.ports.app)]
        host = Child(f"{kind} host", command, self._folder / f"{kind}.log", env)
        self._children.append(host)
        host.wait_until(lambda: _answers(f"{self.url}/api/health"))

    def raise_if_dead(self) -> None:
        """Raises StackError, with the end of its log, if a process has ended."""
        for child in self._children:
            if not child.is_alive():
                raise StackError(f"{child.name} ended; its log ends with:\n{child.tail()}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks the folder for this process, and creates it if it does not exist. StackError if another
    process has it. The system releases the lock when the process ends, in whatever way."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(
                f"Another `make run` keeps its data in {folder}. Stop it, or keep them apart: "
                "make run DATA=.azurite-2"
            ) from error
        yield


def _another(port: int) -> int:
    return port + 1_000 if port < 64_000 else port - 1_000


def _answers(url: str) -> bool:
    """Whether the app answers, healthy or not."""
    answer = ask_local(url, 5)
    return answer is not None and answer.status != 404  # 404: no function is loaded yet
