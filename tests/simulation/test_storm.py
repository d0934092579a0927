"""Everything at once, on 300 images of which people describe 100: no word of theirs is lost."""

from __future__ import annotations

import http.client
import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import TableServiceClient, UpdateMode
from azure.storage.blob import ContainerClient

from captioning.app.services import Services, build_services
from captioning.config.settings import Settings
from captioning.domain.record import record_id
from captioning.maintenance.reconcile import ReconcileReport
from testing.fakes.forwarding import Answer
from testing.harness.running_app import HOSTS
from testing.harness.storage import blobs_in
from testing.harness.waiting import eventually
from testing.simulation.chaos import SEED, ChaosRun
from testing.simulation.chaos_faults import FaultyServices, Service

ALBUM = {f"album-{number % 7}/{number}.png": number for number in range(300)}
PATHS = list(ALBUM)
EDITED = random.Random(SEED).sample(PATHS, 100)
OVERWRITTEN, PUT_BACK = EDITED[:20], EDITED[:10]
"""Edited images that get another picture, and those of them that get their own back."""
DELETED, RETURNED = EDITED[20:30], EDITED[20:25]
"""Edited images that vanish without an event, and those of them that are uploaded again."""
NOT_THE_SERVICE: Answer = (404, [("Content-Type", "text/html")], b"")
NO_CONTAINER: Answer = (
    404,
    [("x-ms-error-code", "ContainerNotFound"), ("x-ms-request-id", "00000000-storm")],
    b"",
)
GARBAGE: tuple[dict[str, Any], ...] = (
    {"kind": "record", "path": "later.png", "status": "translated"},
    {"kind": "record", "status": "captioned", "image": "{"},
    {"kind": "record", "path": "other.png", "status": "captioned", "licence": "CC-BY"},
)


class Storm:
    """The app, people who edit, and what they were told is saved."""

    def __init__(self, chaos: ChaosRun) -> None:
        assert chaos.proxy
        self.chaos, self.proxy = chaos, chaos.proxy
        self.random = random.Random(SEED)
        self.told: dict[str, str] = {}
        self.saved: dict[tuple[Service, int], int] = {}
        """Answers of services that are saved, and how many calls there had been by then."""
        self.hours = 0

    def edit(self, path: str) -> None:
        """Describes the image, as often as it takes until the app says that it is saved."""
        text = f"Anna wrote this about {path}."

        def is_saved() -> bool:
            try:
                status, headers, _ = self._ask(path)
                if status == 200:
                    status, *_ = self._ask(path, {"caption": text}, headers["etag"])
                return status == 200
            except (OSError, http.client.HTTPException):
                return False  # the host is dead just now

        eventually(is_saved)
        self.told[path] = text

    def kill(self) -> None:
        """Kills a host, and starts it again."""
        worker = self.random.choice(self.chaos.app.workers)
        worker.kill()
        served = len(self.chaos.services.calls)
        self.saved |= dict.fromkeys(self.chaos.saved() - self.saved.keys(), served)
        worker.start()

    def touch(self, container: ContainerClient, path: str) -> None:
        """Changes the metadata of a blob as a sync tool does, and not its bytes."""
        container.get_blob_client(path).set_blob_metadata({"mtime": f"{self.random.random()}"})

    def reconcile(self, hours: int) -> list[ReconcileReport]:
        """Runs reconcile, this many hours later, until it has seen every record."""
        self.hours += hours
        with self.services() as services:
            return [services.reconciler.run() for _ in range(2)]

    @contextmanager
    def services(self) -> Iterator[Services]:
        """The app in this process, with a clock that is ahead."""
        ahead = timedelta(hours=self.hours)
        made = build_services(
            Settings.from_environ(self.chaos.app.environ),
            create_storage=False,
            now=lambda: datetime.now(UTC) + ahead,
        )
        try:
            yield made
        finally:
            made.close()

    @contextmanager
    def foreign(self, answer: Answer, share: float) -> Iterator[None]:
        """Has somebody else answer this share of the requests for blobs."""
        chance = random.Random(SEED)

        def garbled(service: str, _method: str, right: Answer) -> Answer:
            return answer if service == "blob" and chance.random() < share else right

        before, self.proxy.garble = self.proxy.garble, garbled
        try:
            yield
        finally:
            self.proxy.garble = before

    def paid_again(self) -> int:
        """Calls of a service for answers that were saved at the time."""
        calls = enumerate(self.chaos.services.calls)
        return sum(
            number >= self.saved.get((call.service, call.picture), number + 1)
            for number, call in calls
        )

    def _ask(
        self, path: str, edits: dict[str, Any] | None = None, etag: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        target = f"/api/captions/sha256:{record_id(path)}"
        worker = self.random.choice(self.chaos.app.workers)
        if edits is None:
            return worker.ask(target, {})
        headers = {"Content-Type": "application/json", "If-Match": etag}
        return worker.ask(target, headers, method="PATCH", body=json.dumps(edits).encode())


@pytest.mark.parametrize("host", HOSTS)
def test_a_storm(host: str, tmp_path: Path) -> None:
    """Kills, sync tools, rows of others, foreign answers, a container that is away for a while,
    images that vanish, an emulator that dies: afterwards every text is in a record or can be
    restored, nothing is paid twice, and no image lacks its record."""
    services = FaultyServices(SEED, latency=0.05)
    with ChaosRun(
        host, tmp_path, services, proxied=True, workers=2, hidden=6, persistent=True
    ) as chaos:
        storm = Storm(chaos)
        container = ContainerClient.from_connection_string(chaos.connection, chaos.name)
        chaos.drop(ALBUM)
        for share in (0.25, 0.5, 0.75):
            chaos.until(lambda least=share: len(services.calls) >= least * 600)  # type: ignore[misc]
            storm.kill()
        chaos.settle(ALBUM)
        planted = _plant(chaos)
        _edit_meanwhile(storm, container)
        _take_the_container_away(storm)
        assert chaos.azurite
        chaos.azurite.crash()
        _replace_and_delete(storm, container)
        _check(storm, planted)


def _plant(chaos: ChaosRun) -> int:
    """Writes rows that this version of the app cannot read, beside the records and among what the
    app remembers; how many of them are records."""
    tables = TableServiceClient.from_connection_string(chaos.connection)
    catalog = tables.get_table_client(f"{chaos.name}catalog")
    for number, row in enumerate(GARBAGE):
        identity = record_id(f"garbage {number}")
        keys = {"PartitionKey": str(int(identity[:8], 16) % 4), "RowKey": f"record~{identity}"}
        catalog.create_entity(keys | row)
    for path in PATHS[:20]:
        identity = record_id(path)
        keys = {"PartitionKey": str(int(identity[:8], 16) % 4), "RowKey": f"record~{identity}"}
        catalog.update_entity(keys | {"licence": "CC-BY"}, mode=UpdateMode.MERGE)
    state = tables.get_table_client(f"{chaos.name}state")
    for kind in ("missing", "broken", "brake"):
        state.upsert_entity({"PartitionKey": kind, "RowKey": "garbage", "document": "{"})
    usage = tables.get_table_client(f"{chaos.name}usage")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    usage.upsert_entity({"PartitionKey": today, "RowKey": "garbage", "usd": "much"})
    tables.close()
    return len(GARBAGE)


def _edit_meanwhile(storm: Storm, container: ContainerClient) -> None:
    """People edit, while a sync tool touches half of the images, hosts are killed, and somebody
    else than storage answers some requests for blobs."""
    touched = storm.random.sample(PATHS, 150)
    with storm.foreign(NOT_THE_SERVICE, share=0.05), ThreadPoolExecutor(4) as pool:
        edits = [pool.submit(storm.edit, path) for path in EDITED]
        touches = [pool.submit(storm.touch, container, path) for path in touched]
        for _ in range(3):
            storm.kill()
        for each in [*edits, *touches]:
            each.result()
        storm.reconcile(0)
    # To the host a 404 is a blob that is gone, whoever answers it: it drops the blob's event.
    # Reconcile makes up for that, once the blob has waited for longer than its grace.
    storm.reconcile(1)
    storm.chaos.settle(ALBUM)


def _take_the_container_away(storm: Storm) -> None:
    """Storage has no container for two days, and then has it again."""
    with storm.foreign(NO_CONTAINER, share=1.0):
        for hours in (0, 25, 25):
            assert sum(report.removed for report in storm.reconcile(hours)) == 0
    assert sum(report.removed for report in storm.reconcile(0)) == 0


def _replace_and_delete(storm: Storm, container: ContainerClient) -> None:
    """Images get other pictures and their own back; others vanish and return."""
    chaos = storm.chaos
    others = {path: 1_000 + ALBUM[path] for path in OVERWRITTEN}
    chaos.drop(others)
    chaos.settle(ALBUM)
    chaos.drop({path: ALBUM[path] for path in PUT_BACK})
    for path in DELETED:
        container.delete_blob(path)
    storm.reconcile(0)
    storm.reconcile(25)
    with storm.services() as services:  # a message that came late may have removed one before
        assert not [path for path in DELETED if services.catalog.get(path)]
    chaos.drop({path: ALBUM[path] for path in RETURNED})
    left = {path: number for path, number in ALBUM.items() if path not in DELETED}
    chaos.settle(left | {path: ALBUM[path] for path in RETURNED})


def _check(storm: Storm, planted: int) -> None:
    """No text is lost, nothing is paid twice, every image has its record."""
    chaos = storm.chaos
    there = [blob.path for blob in blobs_in(chaos.app.images)]
    records = chaos.records({path: ALBUM[path] for path in there})
    with storm.services() as services:
        trash = {entry.path for entry in services.trash.all()}
        for path in RETURNED:
            services.undelete.restore(path)
    back = chaos.records({path: ALBUM[path] for path in RETURNED})
    where = Counter[str]()
    for path, text in storm.told.items():
        record = (records | back).get(path)
        if record and record["caption"] == text:
            where["record"] += 1
        elif record and text in json.dumps([record["history"], record["previous"]]):
            where["history"] += 1
        elif path in trash:
            where["trash"] += 1
        else:
            where["lost"] += 1
    again = storm.paid_again()
    chaos.report(8, "a storm", ALBUM, f"{dict(where)}, {planted} foreign rows, {again} paid again")
    assert where == {"record": 85, "history": 10, "trash": 5}
    assert len(storm.told) == len(EDITED)
    assert again == 0
    assert len(records) == len(there) == len(PATHS) - len(DELETED) + len(RETURNED)
