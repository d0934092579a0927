"""The app under a Functions host, as a process of its own, with the services at the wire."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from captioning import blobs
from captioning.embedded.child import Child
from captioning.models import record_id
from tests.azurite import ROOT, free_ports
from tests.vision_service import KEY as VISION_KEY
from tests.wire.chat import KEY as CHAT_KEY
from tests.wire.server import WireServer
from tests.wire.services import LocalServices, is_chat

HOSTS = ["embedded", *(["func"] if shutil.which("func") else [])]
"""The hosts on this machine; each of them runs the same tests."""
SAFE_IN_A_PATH = "/"


class RunningApp:
    """A host process, its storage and its services, for as long as the `with` block."""

    def __init__(self, host: str, connection: str, folder: Path, name: str) -> None:
        self._services = WireServer(LocalServices())
        self.images = blobs.connect(name, connection_string=connection)
        self._host = host
        self._folder = folder
        self._connection = connection
        self._name = name
        self.port = free_ports(1)[0]
        self._open = ExitStack()
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self._open.enter_context(self._services)
        self._open.callback(self.images.close)
        self.images.create()
        self.start()
        self._open.callback(self.stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def paid(self) -> tuple[int, int]:
        """Calls of Vision and of the model so far."""
        asked = [is_chat(received) for received in self._services.received]
        return asked.count(False), asked.count(True)

    def start(self) -> None:
        """Starts the host and waits for its health."""
        command = {
            "embedded": [sys.executable, "-m", "captioning.embedded.host"],
            "func": ["func", "start"],
        }[self._host]
        log = self._folder / "host.log"
        self._child = Child(self._host, [*command, "--port", str(self.port)], log, self._environ())
        self._child.wait_until(self._is_up)

    def stop(self) -> None:
        """Ends the host, as a deployment would."""
        if self._child:
            self._child.stop()
            self._child = None

    def log(self) -> str:
        """What the host wrote so far."""
        return (self._folder / "host.log").read_text("utf-8", "replace")

    def upload(self, path: str, data: bytes) -> None:
        """A blob as any tool would put it there; the content type tells nothing."""
        self.images.write(path, io.BytesIO(data), "", "application/octet-stream")

    def get(self, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """A request with this very target: nothing is normalised on the way."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest("GET", target)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, body

    def record(self, path: str, seconds: float = 30.0) -> dict[str, Any]:
        """The final record of a blob, by its id; waits for it."""
        deadline = time.monotonic() + seconds
        while True:
            status, _, body = self.get(f"/api/captions/sha256:{record_id(path)}")
            if status == 200:
                record: dict[str, Any] = json.loads(body)
                if record["status"] in {"captioned", "rejected", "failed"}:
                    return record
            assert time.monotonic() < deadline, f"{path!r} has no final record: {self.log()}"
            time.sleep(0.02)

    def peak_memory(self) -> int:
        """Most bytes of memory that the host process has held (Linux)."""
        assert self._child
        status = Path(f"/proc/{self._child.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def _is_up(self) -> bool:
        try:
            return self.get("/api/health")[0] == 200
        except OSError:
            return False

    def _environ(self) -> dict[str, str]:
        values = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
        return {
            **values,
            **os.environ,
            "ImageStorage": self._connection,
            "AzureWebJobsStorage": self._connection,
            "AzureFunctionsWebHost__hostid": self._name,
            "IMAGES_CONTAINER": self._name,
            "CAPTIONS_TABLE": self._name,
            "VISION_PROVIDER": "azure",
            "VISION_ENDPOINT": self._services.url,
            "VISION_KEY": VISION_KEY,
            "CAPTION_PROVIDER": "azure",
            "AZURE_OPENAI_ENDPOINT": self._services.url,
            "AZURE_OPENAI_API_KEY": CHAT_KEY,
        }


def url_path(path: str) -> str:
    """A blob's path as a client writes it into a URL: `/` stays as it is."""
    return quote(path, safe=SAFE_IN_A_PATH)
