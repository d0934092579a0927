"""How many images a second the app captions under the real host's batches, and with what memory.

    python -m bench.speed.places [--images 300] [--rounds 2]

The app runs under the embedded host, which fetches as the real one does, with Azurite and services
that take 0.6 to 1.8 s an image: once with the settings of the past and once with host.json's, one
after the other, by events and by messages of deferred images. Prints a table in markdown.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import quote

from bench.harness.figures import markdown
from bench.harness.photos import photo
from bench.scale.calibration import QuotaServices
from bench.scale.quota import Unlimited
from bench.scale.scenarios import MODEL_SECONDS, VISION_SECONDS
from captioning.config.sections import queue_names
from captioning.domain.messages import CaptionMessage
from captioning.domain.record import FINAL
from captioning.records.table import RECORD
from captioning.storage.accounts import TableAccount
from captioning.storage.queues import connect
from testing.azurite import Azurite
from testing.harness.running_app import RunningApp
from testing.paths import ROOT

SPREAD = 0.5
HOST = "AzureFunctionsJobHost__extensions__"
FUNCTION = "Host.Functions.caption_image"
LONGEST_SECONDS = 300.0
NOW = json.loads((ROOT / "host.json").read_text("utf-8"))["extensions"]
SETTINGS: Mapping[str, tuple[int, int, int]] = {
    "16, 8 + 4": (16, 8, 4),
    "host.json": (
        NOW["blobs"]["maxDegreeOfParallelism"],
        NOW["queues"]["batchSize"],
        NOW["queues"]["newBatchThreshold"],
    ),
}
"""Blob events at a time, messages that are fetched at once, messages at which more are fetched."""


@dataclass(frozen=True)
class Measured:
    """Images a second from the first call of a service on, and the app's peak memory in MiB."""

    rate: float
    peak_mib: float


def measure(way: str, setting: tuple[int, int, int], images: int) -> Measured:
    """Uploads different pictures, announces all of them at once, and waits for their records."""
    name = f"places{uuid.uuid4().hex[:12]}"
    seconds = (VISION_SECONDS, MODEL_SECONDS)
    services = QuotaServices(Unlimited(), Unlimited(), seconds, SPREAD)
    blobs, batch, threshold = setting
    settings = {
        "BLOB_TRIGGER_SOURCE": "EventGrid",
        "PYTHON_THREADPOOL_THREAD_COUNT": "100",
        f"{HOST}blobs__maxDegreeOfParallelism": str(blobs),
        f"{HOST}queues__batchSize": str(batch),
        f"{HOST}queues__newBatchThreshold": str(threshold),
    }
    with ExitStack() as stack:
        storage = stack.enter_context(Azurite()).connection_string
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        app = RunningApp("embedded", storage, folder, name, services=services, settings=settings)
        stack.enter_context(app)
        # In a folder of its own each: the photos of a folder could form a burst.
        paths = [f"{number:05}/photo.jpg" for number in range(images)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda n: app.upload(paths[n], photo(1, n)), range(images)))
        tables = TableAccount(connection_string=storage)
        stack.callback(tables.close)
        if way == "events":
            _notify(app, name, paths)
        else:
            queue = connect(queue_names(name).deferred, connection_string=storage)
            stack.callback(queue.close)
            queue.create()
            for path in paths:
                queue.put(CaptionMessage(path), 0.0)
        ended = _ended(tables, name, images)
        assert services.first
        return Measured(images / (ended - services.first), app.peak_memory() / 2**20)


def _notify(app: RunningApp, container: str, paths: list[str]) -> None:
    url = f"http://127.0.0.1/account/{container}/"
    events = [{"data": {"url": url + quote(path)}} for path in paths]
    target = f"/runtime/webhooks/blobs?functionName={FUNCTION}"
    header = {"aeg-event-type": "Notification"}
    app.workers[0].ask(target, header, method="POST", body=json.dumps(events).encode())


def _ended(tables: TableAccount, name: str, images: int) -> float:
    """The time at which the last image has a final record."""
    table, deadline = tables.table(f"{name}catalog"), time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        rows = (row for row in table.between("0", "9") if row.get("kind") == RECORD)
        if sum(row["status"] in FINAL for row in rows) == images:
            return time.monotonic()
        time.sleep(0.5)
    raise TimeoutError(f"{images} images have not ended in {LONGEST_SECONDS:.0f} s")


def table(images: int, rounds: int) -> str:
    """Measures both settings in turn, and compares them."""
    rows: list[list[Any]] = []
    for way in ("events", "messages"):
        runs: dict[str, list[Measured]] = {name: [] for name in SETTINGS}
        for _ in range(rounds):
            for name, setting in SETTINGS.items():
                runs[name].append(measure(way, setting, images))
                print(way, name, runs[name][-1], flush=True)
        past = [mean(run.rate for run in runs[name]) for name in SETTINGS]
        peaks = [mean(run.peak_mib for run in runs[name]) for name in SETTINGS]
        for name, rate, peak in zip(SETTINGS, past, peaks, strict=True):
            cells = [
                f"{rate:.2f}",
                f"{rate / past[0]:.2f}",
                f"{peak:.0f}",
                f"{peak / peaks[0]:.2f}",
            ]
            rows.append([way, name, *cells])
    return markdown(["by", "settings", "images/s", "ratio", "peak MiB", "ratio"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.speed.places", description=__doc__)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    print(table(asked.images, asked.rounds))
