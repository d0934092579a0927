"""The app in a process of its own, told what to do by lines of JSON and answering with such.

    python -m bench.app

It is the composition of `function_app`, asked directly: no Functions host is in it. As under a
host, so many threads each take an image when they have finished one.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.meter import Meter
from captioning.wake import Wake


class Run:
    """Images, with so many in flight, watched for a while in the middle.

    The threads begin one after the other within `ramp` seconds; `warm` seconds after the first, the
    watch begins. It lasts `window` seconds, or until no image is left to take.
    """

    def __init__(self, paths: list[str], in_flight: int, ramp: float, warm: float, window: float):
        self._paths: Iterator[str] = iter(paths)
        self._in_flight = in_flight
        self._ramp, self._warm, self._window = ramp, warm, window
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.ended: list[tuple[float, float, str]] = []

    def process(self, pipeline: Any, meter: Meter | None) -> dict[str, Any]:
        """What happened while it was watched."""
        threads = [
            threading.Thread(target=self._work, args=(pipeline, number / self._in_flight))
            for number in range(self._in_flight)
        ]
        for thread in threads:
            thread.start()
        self._over.wait(self._warm)
        if meter:
            meter.clear()
        began, cpu = time.monotonic(), time.process_time()
        self._over.wait(self._window)
        ended, cpu = time.monotonic(), time.process_time() - cpu
        steps = dict(meter.seconds) if meter else {}
        calls = dict(meter.calls) if meter else {}
        self._over.set()
        for thread in threads:
            thread.join()
        watched = [took for at, took, _ in self.ended if began <= at < ended]
        return {
            "images": self._images(began, ended),
            "seconds": ended - began,
            "cpu_seconds": cpu,
            "took": sorted(watched),
            "statuses": dict(Counter(status for _, _, status in self.ended)),
            "peak_bytes": peak_memory(),
            "steps": steps,
            "calls": calls,
        }

    def _images(self, began: float, ended: float) -> float:
        """Images between two moments; of one that was at work outside of them, its share inside."""
        inside = (
            max(0.0, min(at, ended) - max(at - took, began)) / took for at, took, _ in self.ended
        )
        return sum(inside)

    def _work(self, pipeline: Any, start: float) -> None:
        time.sleep(start * self._ramp)
        while not self._over.is_set():
            with self._lock:
                path = next(self._paths, None)
            if path is None:
                self._over.set()
                return
            began = time.monotonic()
            try:
                record = pipeline.process(Wake(path))
                status = record.status if record else "none"
            except Exception as error:  # noqa: BLE001 - what a host would see is counted
                status = type(error).__name__
            ended = time.monotonic()
            with self._lock:
                self.ended.append((ended, ended - began, status))


def peak_memory() -> int:
    """Most bytes of memory that this process has held (Linux; 0 elsewhere)."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Serves until its input ends."""
    logging.disable(logging.INFO)
    meter = Meter() if "--meter" in sys.argv else None
    if meter:
        meter.install()
    import function_app

    services = function_app.services()
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        told: dict[str, Any] = json.loads(line)
        answer = Run(**told).process(services.pipeline, meter)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    services.close()


if __name__ == "__main__":
    main()
