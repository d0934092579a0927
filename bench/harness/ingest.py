"""Runs images through a pipeline, many at a time, and measures a window in the middle."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.harness.cpu_meter import Meter
from bench.harness.processes import cpu_seconds_of_app, memory
from captioning.domain.messages import CaptionMessage

Process = Callable[[CaptionMessage], Any]


@dataclass(frozen=True)
class Plan:
    """What to run: paths, and how many images are in flight.

    Threads start one after the other within `ramp` seconds. The measured window begins `warm`
    seconds after the first, and lasts `window` seconds or until no image is left.
    """

    paths: list[str]
    in_flight: int
    window: float
    ramp: float = 1.2
    warm: float = 3.0


class Ingest:
    """One run of a plan. `due` returns a message of a deferred image, if any; these are processed
    first."""

    def __init__(
        self, plan: Plan, process: Process, due: Callable[[], CaptionMessage | None] = lambda: None
    ) -> None:
        self._plan = plan
        self._process = process
        self._due = due
        self._paths: Iterator[str] = iter(plan.paths)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._ended: list[tuple[float, float, str]] = []

    def run(self, meter: Meter | None = None) -> dict[str, Any]:
        """Runs the plan and returns what was measured in the window."""
        plan = self._plan
        threads = [
            threading.Thread(target=self._work, args=(plan.ramp * number / plan.in_flight,))
            for number in range(plan.in_flight)
        ]
        for thread in threads:
            thread.start()
        self._over.wait(plan.warm)
        if meter:
            meter.clear()
        began, cpu = time.monotonic(), cpu_seconds_of_app()
        self._over.wait(plan.window)
        ended, cpu = time.monotonic(), cpu_seconds_of_app() - cpu
        steps, calls = meter.counted() if meter else ({}, {})
        self._over.set()
        for thread in threads:
            thread.join()
        return {
            **self.watched(self._ended, began, ended),
            "seconds": ended - began,
            "cpu_seconds": cpu,
            "peak_bytes": memory("self", "VmHWM"),
            "steps": steps,
            "calls": calls,
        }

    @staticmethod
    def watched(runs: list[tuple[float, float, str]], began: float, ended: float) -> dict[str, Any]:
        """The images between two moments. An image that was processed only partly between them
        counts by that share. A run is the time at which it ended, its seconds, and the status of
        the image."""
        inside = [run for run in runs if began <= run[0] < ended]
        shares = (max(0.0, min(at, ended) - max(at - took, began)) / took for at, took, _ in runs)
        return {
            "images": sum(shares),
            "took": sorted(took for _, took, _ in inside),
            "statuses": dict(Counter(status for _, _, status in inside)),
            "all_statuses": dict(Counter(status for _, _, status in runs)),
        }

    def _work(self, start: float) -> None:
        self._over.wait(start)
        while not self._over.is_set():
            wake = self._next()
            if wake is None:
                self._over.set()
                return
            began = time.monotonic()
            try:
                record = self._process(wake)
                status = record.status if record else "none"
            except Exception as error:  # noqa: BLE001 - counted, as a host would see it
                status = type(error).__name__
            ended = time.monotonic()
            with self._lock:
                self._ended.append((ended, ended - began, status))

    def _next(self) -> CaptionMessage | None:
        deferred = self._due()
        if deferred:
            return deferred
        with self._lock:
            path = next(self._paths, None)
        return CaptionMessage(path) if path else None
