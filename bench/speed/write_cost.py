"""The cost of recording an image: index rows, table requests, milliseconds, dollars.

python -m bench.speed.write_cost
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from captioning.domain.record import CaptionRecord, DetectedObject, Tag, TextLine
from captioning.records.catalog import Catalog
from testing.azurite import Azurite
from testing.factories.records import short
from testing.harness.storage import Storage

IMAGES, AT_ONCE = 320, 16
TRANSACTION_USD = 0.00036 / 10_000
"""Of Table Storage, as commonly quoted; unverified."""
NOUNS = [
    "dog",
    "beach",
    "frisbee",
    "sunset",
    "bicycle",
    "market",
    "bridge",
    "tower",
    "garden",
    "kitchen",
]
TAGS = [
    "outdoor",
    "sky",
    "water",
    "animal",
    "person",
    "grass",
    "building",
    "indoor",
    "food",
    "plant",
]
START = datetime(2026, 11, 22, tzinfo=UTC)


def claimed(number: int) -> CaptionRecord:
    """The record of an image that a run has claimed."""
    path = f"2026/holiday/IMG_{number:04}.jpg"
    uploaded = START + timedelta(seconds=number)
    return short(path, uploaded, status="processing", caption=None)


def captioned(number: int) -> CaptionRecord:
    """The same record with a caption of 11 words, an alt text of 14, eight tags, three objects and
    two lines of text: what the default features return for a photo of a sign."""
    one, two = NOUNS[number % 10], NOUNS[(number // 10) % 10]
    box = (0, 0, 9, 9)
    return replace(
        claimed(number),
        status="captioned",
        language="en",
        caption=f"A brown {one} next to a {two} on a sunny day.",
        alt_text=f"A large {one} stands beside a small {two} while people walk past it.",
        tags=tuple(Tag(TAGS[(number + step) % 10], 0.9) for step in range(8)),
        objects=tuple(DetectedObject(name, 0.8, box) for name in (one, two, "person")),
        text=(TextLine("Open daily", box), TextLine("No entry", box)),
    )


def record_image(catalog: Catalog, number: int) -> tuple[float, int]:
    """Makes both saves of a run; returns their milliseconds and the image's index rows."""
    started = time.perf_counter()
    made = catalog.save(captioned(number), catalog.save(claimed(number), None))
    return (time.perf_counter() - started) * 1000, len(made.rows)


def main() -> None:
    """Measures, and prints the figures."""
    with Azurite() as emulator, ExitStack() as stack:
        storage = Storage(emulator.connection_string, "bench", stack)
        assert storage.account
        catalog, sent = storage.recorded_catalog()
        for number in range(AT_ONCE):  # after these, common words are in the dictionary
            record_image(catalog, number)
        sent.clear()
        cpu, wall = time.process_time(), time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            numbers = range(AT_ONCE, AT_ONCE + IMAGES)
            done = sorted(pool.map(lambda number: record_image(catalog, number), numbers))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    requests = len(sent) / IMAGES
    times = [milliseconds for milliseconds, _ in done]
    print(f"index rows of an image      {sum(rows for _, rows in done) / IMAGES:.1f}")
    print(f"requests an image           {requests:.1f}, both saves and what they remove")
    print(f"milliseconds, {AT_ONCE} at once    p50 {times[IMAGES // 2]:.0f}, max {times[-1]:.0f}")
    print(f"images a second             {IMAGES / wall:.1f}, on the cores that Azurite uses too")
    print(f"CPU of the app an image     {cpu / IMAGES * 1000:.0f} ms")
    dollars = requests * 1e6 * TRANSACTION_USD
    print(f"a million images            {dollars:.2f} USD, the price unconfirmed")


if __name__ == "__main__":
    main()
