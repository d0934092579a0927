"""Events that come too often, in any order, while blobs are overwritten: the newest upload wins."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from testing.factories.numbered_pictures import numbered
from testing.harness.waiting import HUNG_SECONDS
from testing.simulation.chaos import SEED, ChaosRun
from testing.simulation.chaos_faults import SERVICES, FaultyServices, Service

PATHS = 50
VERSIONS = 3
DELIVERIES = 3
SLOW = 10
SETTINGS = {
    "BLOB_TRIGGER_SOURCE": "EventGrid",
    "VISION_TIMEOUT_SECONDS": "25",
    "CLAIM_SECONDS": "60",
    "DECODE_SECONDS": "15",
}
WEBHOOK = "/runtime/webhooks/blobs?functionName=Host.Functions.caption_image&code=key"
LAST = {f"{number}.png": 1000 * VERSIONS + number for number in range(PATHS)}
"""Path n shows the pictures 1000 + n, 2000 + n and at last 3000 + n."""


class EventGrid:
    """Uploads versions of the paths; each tells of itself three times, sooner or later."""

    def __init__(self, chaos: ChaosRun) -> None:
        self._chaos = chaos
        self._pending: list[dict[str, Any]] = []
        self._overwritten: set[int] = set()
        self._lock = threading.Lock()
        self.others_are_through = threading.Event()

    def upload(self, number: int, version: int) -> None:
        """A version of a path; its events wait to be delivered."""
        path = f"{number}.png"
        self._chaos.app.upload(path, numbered(1000 * version + number))
        etag = self._chaos.app.images.describe(path).etag
        url = f"http://127.0.0.1:10000/devstoreaccount1/{self._chaos.name}/{quote(path)}"
        data = {"url": url, "eTag": etag.strip('"'), "blobType": "BlockBlob", "api": "PutBlob"}
        event = {"eventType": "Microsoft.Storage.BlobCreated", "data": data}
        with self._lock:
            self._pending += [event] * DELIVERIES

    def overwrite(self, service: Service, picture: int) -> None:
        """While Vision looks at a path's first version: uploads the two others, of which the
        last is through before the first on every tenth path."""
        version, number = divmod(picture, 1000)
        with self._lock:
            is_first = version == 1 and number not in self._overwritten
            self._overwritten.add(number)
        if is_first:
            for later in range(2, VERSIONS + 1):
                self.upload(number, later)
            if number % SLOW == 0:
                self.others_are_through.wait(HUNG_SECONDS)

    def deliver_all(self) -> None:
        """Every event of every version, in any order."""
        delivered = 0
        while delivered < PATHS * VERSIONS * DELIVERIES:
            if self._pending:
                self._deliver()
                delivered += 1
            else:
                time.sleep(0.01)

    def _deliver(self) -> None:
        with self._lock:
            event = self._pending.pop(self._chaos.random.randrange(len(self._pending)))
        headers = {"aeg-event-type": "Notification"}
        body = json.dumps([event]).encode()
        answer = self._chaos.app.workers[0].ask(WEBHOOK, headers, method="POST", body=body)
        assert answer[0] == 202


def test_every_event_thrice_and_every_path_overwritten_twice(tmp_path: Path) -> None:
    """Run 3, under the embedded host: the real one's webhook needs a key of its own."""
    services = FaultyServices(SEED, latency=0.05)
    with ChaosRun("embedded", tmp_path, services, settings=SETTINGS) as chaos:
        grid = EventGrid(chaos)
        services.on_call = grid.overwrite
        for number in range(PATHS):
            grid.upload(number, 1)
        grid.deliver_all()
        chaos.settle(LAST)
        grid.others_are_through.set()
        time.sleep(2)
        chaos.settle(LAST)
        chaos.assert_right(LAST)
        injected = f"{PATHS} paths of {VERSIONS} versions, each event {DELIVERIES} times"
        chaos.report(3, injected, LAST, least=2 * PATHS)
        assert chaos.poisoned() == 0
    for service in SERVICES:
        served = services.served(service)
        assert set(served.values()) == {1}
        assert all(served[picture] == 1 for picture in LAST.values())
