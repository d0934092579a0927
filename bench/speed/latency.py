"""Time from an upload until its caption can be queried, without the time of the two services."""

from __future__ import annotations

import http.client
import json
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.harness.bed import CONTAINER, Bed
from bench.harness.figures import markdown, percentile
from bench.harness.photos import photo
from bench.harness.report import Report
from bench.speed.throughput import SERVICE_SECONDS
from captioning.domain.record import record_id
from testing.harness.host_process import HostProcess
from testing.harness.storage import overwrite

RATE = 4.0
"""Uploads a second: a steady rate, far below what the machine can do."""
LOOK_SECONDS = 0.02
FIRST_LOOK = SERVICE_SECONDS - 0.05


def run(bed: Bed, *, quick: bool) -> Report:
    """Measures both sizes under the embedded host, and with the pipeline alone."""
    count = 12 if quick else 40
    found: dict[str, list[float]] = {}
    bed.behave(spread=0.0)
    for size in (1, 12):
        found[f"upload to queryable, {size} MP"] = under_host(bed, size, count)
        found[f"pipeline by itself, {size} MP"] = by_itself(bed, size, count)
    return Report(table(found), found)


def table(found: dict[str, list[float]]) -> str:
    """The table of docs/internals.md: milliseconds beyond the services' time."""
    head = ["beyond the services' 1.2 s", "images", "p50 ms", "p99 ms"]
    rows = [
        [name, len(times), *(f"{1000 * percentile(times, share):.0f}" for share in (0.5, 0.99))]
        for name, times in found.items()
    ]
    return markdown(head, rows)


def by_itself(bed: Bed, megapixels: int, count: int) -> list[float]:
    """Seconds that the pipeline takes beyond the services' time, with four images in flight."""
    paths = bed.upload(megapixels, count + 8)
    with bed.app() as app:
        run = app.run(paths, 4, 600.0, warm=2.0)
    return [took - SERVICE_SECONDS for took in run["took"]]


def under_host(bed: Bed, megapixels: int, count: int) -> list[float]:
    """Seconds from the end of an upload until the API returns the caption, beyond the services'
    time. The event is sent to the host's webhook at once; Event Grid would take some time."""
    environ = bed.environ() | {"BLOB_TRIGGER_SOURCE": "EventGrid"}
    environ["AzureFunctionsWebHost__hostid"] = environ["CAPTIONS_TABLE"]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        host = HostProcess("embedded", Path(folder) / "host", environ)
        host.start()
        try:
            watch(bed, host, megapixels, range(4), "warm")  # connections, words, imports
            return watch(bed, host, megapixels, range(count), "watched")
        finally:
            host.stop()


def watch(
    bed: Bed, host: HostProcess, megapixels: int, numbers: Iterable[int], name: str
) -> list[float]:
    """Uploads these photos at RATE and waits for their captions; the seconds of each."""
    with ThreadPoolExecutor(16) as pool:
        began = time.monotonic()
        waiting = []
        for number in numbers:
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            path = f"latency/{name}/{host.port}/{number}.jpg"
            data = photo(megapixels, 1_000_000 + host.port * 100 + number + 1_000 * len(name))
            waiting.append(pool.submit(until_queryable, bed, host, path, data))
        return [each.result() for each in waiting]


def until_queryable(bed: Bed, host: HostProcess, path: str, data: bytes) -> float:
    """Uploads a photo, notifies the host, and polls the record until it has a caption; returns the
    seconds."""
    etag = overwrite(bed.images, path, data, is_hashed=False)
    began = time.monotonic()
    url = f"http://127.0.0.1:10000/devstoreaccount1/{CONTAINER}/{quote(path)}"
    event = {
        "eventType": "Microsoft.Storage.BlobCreated",
        "data": {"url": url, "eTag": etag, "blobType": "BlockBlob", "api": "PutBlob"},
    }
    client = http.client.HTTPConnection("127.0.0.1", host.port, timeout=30)
    target = "/runtime/webhooks/blobs?functionName=Host.Functions.caption_image&code=k"
    body = json.dumps([event])
    assert ask(client, "POST", target, body, {"aeg-event-type": "Notification"})[0] == 202
    time.sleep(max(0.0, began + FIRST_LOOK - time.monotonic()))
    while time.monotonic() < began + 60:
        status, answer = ask(client, "GET", f"/api/captions/sha256:{record_id(path)}")
        if status == 200 and json.loads(answer)["status"] == "captioned":
            client.close()
            return time.monotonic() - began - SERVICE_SECONDS
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"{path} has no caption after a minute: {host.log()}")


def ask(client: http.client.HTTPConnection, *request: Any) -> tuple[int, bytes]:
    """Status and body."""
    client.request(*request)
    response = client.getresponse()
    return response.status, response.read()
