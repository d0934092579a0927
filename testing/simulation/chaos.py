"""The app under fault injection: its own storage, services that fail by a plan, and a report."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from captioning.domain.record import FINAL, record_id
from captioning.records.table import RECORD
from captioning.storage.accounts import TableAccount
from testing.azurite import Azurite
from testing.factories.numbered_pictures import numbered
from testing.fakes.storage_proxy import StorageProxy
from testing.harness.running_app import RunningApp
from testing.harness.storage import blobs_in
from testing.harness.waiting import eventually
from testing.simulation.chaos_faults import SERVICES, FaultyServices, Service

SEED = 4
SHORT_TIMES = {
    "CLAIM_SECONDS": "30",
    "DECODE_SECONDS": "7",
    "VISION_TIMEOUT_SECONDS": "10",
    "CAPTION_TIMEOUT_SECONDS": "10",
}
"""Settings under which claims end, and hanging calls time out, within a test; yet a busy machine
needs less for a call or a run, or both would be paid for again."""
POISONED = re.compile(r"mov(ed|ing).{0,80}-poison", re.IGNORECASE)
SAVED_AS: dict[Service, str] = {"vision": "analysis", "model": "captioning"}
Album = Mapping[str, int]
"""The number of the picture at each path."""


@dataclass(frozen=True)
class RecordState:
    """The state of a record in the table."""

    status: str
    etag: str
    code: str | None


class ChaosRun:
    """The app with its storage and services, for the duration of a `with` block. With `proxied`,
    storage can be made to fail (`proxy`); a `persistent` one can be killed (`azurite`)."""

    def __init__(
        self,
        host: str,
        folder: Path,
        services: FaultyServices,
        *,
        proxied: bool = False,
        workers: int = 1,
        hidden: int | None = None,
        persistent: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.services = services
        self.random = random.Random(SEED)
        self.began = time.monotonic()
        self.name = f"chaos{uuid.uuid4().hex[:12]}"
        self._numbers: dict[str, int] = {}
        with ExitStack() as stack:
            self.azurite = azurite = stack.enter_context(Azurite(persistent=persistent))
            self.connection = azurite.connection_string
            self.proxy = stack.enter_context(StorageProxy(azurite.ports)) if proxied else None
            self._tables = TableAccount(connection_string=azurite.connection_string)
            stack.callback(self._tables.close)
            self.app = RunningApp(
                host,
                azurite.connection_string,
                folder,
                self.name,
                services=services,
                storage=self.proxy.connection_string if self.proxy else "",
                settings=SHORT_TIMES | dict(settings or {}),
                workers=workers,
                hidden=hidden,
            )
            stack.enter_context(self.app)
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._open.close()

    def drop(self, album: Album) -> None:
        """Uploads the pictures in random order."""
        for number in album.values():
            self._numbers[hashlib.sha256(numbered(number)).hexdigest()] = number
        paths = list(album)
        self.random.shuffle(paths)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda path: self.app.upload(path, numbered(album[path])), paths))

    def seen(self) -> dict[str, RecordState]:
        """The states of all records, by path."""
        table = self._tables.table(f"{self.name}catalog")
        rows = [
            row for row in table.between("0", "9") if row.get("kind") == RECORD and "save" in row
        ]
        return {
            row["path"]: RecordState(
                row["status"],
                json.loads(row["image"])["etag"],
                json.loads(row["error"])["code"] if "error" in row else None,
            )
            for row in rows
        }

    def states(self) -> Counter[str]:
        """How many records have each status."""
        return Counter(seen.status for seen in self.seen().values())

    def until(self, check: Callable[[], bool]) -> None:
        """Waits until the check holds."""

        def found() -> object:
            codes = Counter((record.status, record.code) for record in self.seen().values())
            return f"{codes}; {self.app.log()[-4000:]}"

        eventually(check, found)

    def settle(self, album: Album) -> None:
        """Waits until every image, in the version that is stored now, has a final record."""
        etags = {blob.path: blob.etag for blob in blobs_in(self.app.images)}

        def is_over() -> bool:
            ended = {path: s.etag for path, s in self.seen().items() if s.status in FINAL}
            return all(ended.get(path) == etags[path] for path in album)

        self.until(is_over)

    def records(self, album: Album) -> dict[str, dict[str, Any]]:
        """The records as clients get them, by path."""

        def record(path: str) -> dict[str, Any]:
            status, _, body = self.app.get(f"/api/captions/sha256:{record_id(path)}")
            assert status == 200, path
            found: dict[str, Any] = json.loads(body)
            return found

        with ThreadPoolExecutor(4) as pool:
            return dict(zip(album, pool.map(record, album), strict=True))

    def saved(self) -> set[tuple[Service, int]]:
        """The answers that are saved: service and picture of each."""
        table = self._tables.table(f"{self.name}reuse")
        rows = table.between("0", "g")
        return {
            (service, self._numbers[row["PartitionKey"]])
            for row in rows
            for service, column in SAVED_AS.items()
            if row.get(column)
        }

    def poisoned(self) -> int:
        """How many messages the hosts moved to poison queues."""
        return len(POISONED.findall(self.app.log()))

    def assert_right(self, album: Album) -> dict[str, dict[str, Any]]:
        """Asserts that every image is captioned, from the bytes of its current blob."""
        records = self.records(album)
        etags = {blob.path: blob.etag for blob in blobs_in(self.app.images)}
        for path, number in album.items():
            record = records[path]
            assert record["status"] == "captioned", (path, record["error"])
            assert record["caption"] == f"This is picture {number}.", path
            assert record["tags"][0]["name"] == f"picture {number}", path
            assert record["image"]["etag"] == etags[path], path
        return records

    def report(
        self, number: int, injected: str, album: Album, note: str = "", least: int | None = None
    ) -> None:
        """Writes a line of figures. `least` is the least possible number of calls of each service,
        by default one per picture."""
        least = least or len(set(album.values()))
        totals = self.services.totals()
        calls = " ".join(f"{service} {totals[service]}/{least}" for service in SERVICES)
        outcomes = {service: dict(self.services.outcomes(service)) for service in SERVICES}
        written(
            f"CHAOS {number}: injected {injected}; states {dict(self.states())}; calls {calls} "
            f"(least possible); {outcomes}; {note + '; ' if note else ''}"
            f"{self.poisoned()} poisoned; seconds {time.monotonic() - self.began:.0f}"
        )


def written(line: str) -> None:
    """Prints the line, and appends it to the file that CHAOS_REPORT names."""
    print(line)
    if path := os.environ.get("CHAOS_REPORT"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
