"""The test bed: storage, services and the app, each as a process of its own on this machine."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from azure.storage.blob import ContainerClient

from bench.harness.photos import photo
from bench.harness.processes import cpu_seconds
from captioning.embedded.stack.azurite import is_taken
from captioning.embedded.stack.child import Child
from captioning.storage.accounts import BlobAccount
from testing.azurite import Azurite, free_ports
from testing.harness.storage import overwrite
from testing.paths import ROOT

CONTAINER = "bench"


class App:
    """The app in a process of `bench.harness.worker`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, paths: list[str], in_flight: int, window: float, **more: Any) -> Any:
        """Has the app run a plan and returns what it measured: see `harness.ingest.Plan` and
        `harness.readers.Readers`."""
        plan = {"paths": paths, "in_flight": in_flight, "window": window, **more}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(plan))
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the app has ended; its output is above")
        return json.loads(line)


class Bed:
    """Azurite and the services for the duration of a `with` block, and apps that use them."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._tables = itertools.count(1)
        self._numbers = itertools.count(1)
        self._uploaded: dict[int, list[str]] = {}

    def __enter__(self) -> Self:
        azurite = self._open.enter_context(Azurite())
        self.storage = azurite.connection_string
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        [self._port] = free_ports(1)
        command = [sys.executable, "-m", "bench.harness.services", str(self._port)]
        child = Child("services", command, folder / "services.log", os.environ)
        self._open.callback(child.stop)
        child.wait_until(lambda: is_taken(self._port))
        self._pids = {"storage": azurite.pid, "services": child.pid}
        account = BlobAccount(connection_string=self.storage)
        self._open.callback(account.close)
        self.images = account.images(CONTAINER)
        self.images.create()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def services(self) -> str:
        """Address of both services."""
        return f"http://127.0.0.1:{self._port}"

    def behave(self, **behaviour: float) -> None:
        """Sets how the services behave (see `services.Behaviour`) and resets their counts."""
        self._ask("/behaviour", json.dumps(behaviour).encode())

    def cpu(self) -> dict[str, float]:
        """CPU seconds that storage and the services have used so far (Linux; 0 elsewhere)."""
        return {name: cpu_seconds(pid) for name, pid in self._pids.items()}

    def counts(self) -> Any:
        """The services' counts: see `services.Counts`."""
        return self._ask("/counts", None)

    def allocate(self, path: str, size: int) -> str:
        """Creates a blob of this size without sending any data; returns its path."""
        with ContainerClient.from_connection_string(self.storage, CONTAINER) as container:
            container.get_blob_client(path).create_page_blob(size)
        return path

    def upload(self, megapixels: int, count: int) -> list[str]:
        """The paths of `count` images of a size. Those that do not exist yet are uploaded."""
        there = self._uploaded.setdefault(megapixels, [])
        missing = range(len(there), count)
        with ThreadPoolExecutor(4) as pool:
            there += pool.map(lambda number: self._put(megapixels, number), missing)
        return there[:count]

    def environ(self) -> dict[str, str]:
        """The environment of an app with tables of its own, to which every image is new."""
        values = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
        return {
            **values,
            **os.environ,
            "ImageStorage": self.storage,
            "AzureWebJobsStorage": self.storage,
            "IMAGES_CONTAINER": CONTAINER,
            "CAPTIONS_TABLE": f"bench{next(self._tables)}",
            "VISION_PROVIDER": "azure",
            "VISION_ENDPOINT": self.services,
            "VISION_KEY": "bench",
            "CAPTION_PROVIDER": "azure",
            "AZURE_OPENAI_ENDPOINT": self.services,
            "AZURE_OPENAI_API_KEY": "bench",
        }

    @contextmanager
    def app(self, *options: str, **settings: str) -> Iterator[App]:
        """An app for the duration of the block; with `--meter` the CPU time of its steps is
        measured."""
        with subprocess.Popen(
            [sys.executable, "-m", "bench.harness.worker", *options],
            cwd=ROOT,
            env={**self.environ(), **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield App(process)
            finally:
                assert process.stdin
                process.stdin.close()
                process.wait(30)

    def _put(self, megapixels: int, number: int) -> str:
        # In a folder of its own: the photos of a folder could form a burst.
        path = f"{megapixels}/{number:05}/photo.jpg"
        overwrite(self.images, path, photo(megapixels, number), is_hashed=False)
        return path

    def _ask(self, path: str, body: bytes | None) -> Any:
        with urllib.request.urlopen(self.services + path, body, timeout=10) as answer:
            return json.load(answer)
