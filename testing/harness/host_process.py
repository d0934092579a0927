"""A Functions host as a process: started, stopped as by a deployment, or killed."""

from __future__ import annotations

import http.client
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from captioning.embedded.stack.child import Child
from testing.azurite import free_ports
from testing.harness.waiting import HUNG_SECONDS


class HostProcess:
    """A host of the app on a port of its own. `hidden` is after how many seconds the messages of a
    killed host are visible again, `exactly` how many of a function are at work (embedded host
    only). The log of every start is kept."""

    def __init__(
        self,
        host: str,
        log: Path,
        environ: Mapping[str, str],
        hidden: int | None = None,
        exactly: int | None = None,
    ) -> None:
        self.port = free_ports(1)[0]
        self._host = host
        self._log = log
        self._environ = environ
        options = {"--hidden": hidden, "--exactly": exactly} if host == "embedded" else {}
        self._options = [f"{name}={value}" for name, value in options.items() if value]
        self._child: Child | None = None
        self._starts = 0

    @property
    def child(self) -> Child | None:
        """The process, while it is started."""
        return self._child

    def start(self) -> None:
        """Starts the host and waits until it is healthy."""
        command = {
            "embedded": [sys.executable, "-m", "captioning.embedded.host"],
            "func": ["func", "start"],
        }[self._host]
        command += ["--port", str(self.port), *self._options]
        self._starts += 1
        self._child = Child(self._host, command, self._log_of(self._starts), self._environ)
        self._child.wait_until(self._is_up)

    def stop(self) -> None:
        """Stops the host with SIGTERM, as a deployment does."""
        if self._child:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """Kills the host."""
        if self._child:
            os.killpg(self._child.pid, signal.SIGKILL)
            self.stop()

    def ask(
        self, target: str, headers: Mapping[str, str], *, method: str = "GET", body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Sends a request with this target, which is not normalised. Returns status, headers in
        lower case, and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HUNG_SECONDS)
        connection.putrequest(method, target)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, content

    def log(self) -> str:
        """The logs of all starts."""
        logs = [self._log_of(number) for number in range(1, self._starts + 1)]
        return "".join(log.read_text("utf-8", "replace") for log in logs)

    def _log_of(self, number: int) -> Path:
        return self._log.with_suffix(f".{number}.log")

    def _is_up(self) -> bool:
        try:
            return self.ask("/api/health", {})[0] == 200
        except (OSError, http.client.HTTPException):
            return False
