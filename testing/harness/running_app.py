"""The app under Functions hosts as processes, with both services on a local server."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from captioning.domain.record import FINAL, record_id
from captioning.storage.accounts import BlobAccount
from testing.harness.host_process import HostProcess
from testing.harness.storage import overwrite
from testing.harness.waiting import eventually
from testing.paths import ROOT
from testing.services.both import LocalServices, is_chat
from testing.services.chat import KEY as CHAT_KEY
from testing.services.server import Answer, WireServer
from testing.services.vision_clients import KEY as VISION_KEY

HOSTS = ["embedded", *(["func"] if shutil.which("func") else [])]
"""The hosts that are installed here; tests run under each of them."""
SAFE_IN_A_PATH = "/"


class RunningApp:
    """Host processes with storage and services, for the duration of a `with` block.

    `storage` is the app's connection string if it differs from the test's, such as that of a proxy.
    `workers` is the number of host processes.
    """

    def __init__(
        self,
        host: str,
        connection: str,
        folder: Path,
        name: str,
        *,
        services: Answer | None = None,
        storage: str = "",
        settings: Mapping[str, str] | None = None,
        workers: int = 1,
        hidden: int | None = None,
        exactly: int | None = None,
    ) -> None:
        self._services = WireServer(services or LocalServices())
        self._account = BlobAccount(connection_string=connection)
        self.images = self._account.images(name)
        self._connection = storage or connection
        self._name = name
        self.environ = self._environ() | dict(settings or {})
        self.workers = [
            HostProcess(host, folder / f"host-{number}", self.environ, hidden, exactly)
            for number in range(workers)
        ]
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._services)
        self._open.callback(self._account.close)
        self.images.create()
        self._open.callback(self.stop)
        self.start()
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
        """How many calls Vision and the model have received so far."""
        asked = [is_chat(received) for received in self._services.received]
        return asked.count(False), asked.count(True)

    def start(self) -> None:
        """Starts the hosts and waits until they are healthy."""
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        """Stops the hosts, as a deployment does."""
        for worker in self.workers:
            worker.stop()

    def log(self) -> str:
        """The logs of all hosts so far."""
        return "".join(worker.log() for worker in self.workers)

    def upload(self, path: str, data: bytes) -> None:
        """Uploads a blob as any tool would, without a useful content type."""
        overwrite(self.images, path, data, is_hashed=False)

    def get(self, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Sends a request with this target, which is not normalised."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.workers[0].ask(target, named)

    def record(self, path: str) -> dict[str, Any]:
        """Waits for the final record of a blob, which it gets by its id."""

        def final() -> dict[str, Any] | None:
            status, _, body = self.get(f"/api/captions/sha256:{record_id(path)}")
            record: dict[str, Any] = json.loads(body) if status == 200 else {"status": None}
            return record if record["status"] in FINAL else None

        found = eventually(final, lambda: f"{path!r} has no final record: {self.log()}")
        assert found
        return found

    def peak_memory(self) -> int:
        """The peak memory of the first host process in bytes (Linux)."""
        child = self.workers[0].child
        assert child
        status = Path(f"/proc/{child.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

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
    """The path of a blob for a URL, with `/` unescaped."""
    return quote(path, safe=SAFE_IN_A_PATH)
