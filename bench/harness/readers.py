"""Lookups by a few threads, alone and while images are captioned."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.harness.ingest import Ingest
from captioning.api.error_responses import respond
from captioning.api.messages import Request, Response

LIST = "http://bench/api/captions?limit=20"
SEARCHES = {
    "list, newest 20": "",
    "search, one word": "&q=cat",
    "search, word and tag": "&q=chair&tag=cat",
}


class Readers:
    """Makes each kind of lookup for `seconds` seconds on `threads` threads; `paths` have records.

    Lookups call the API's code without HTTP: JSON is rendered, but no socket is used.
    """

    def __init__(self, services: Any, *, threads: int, seconds: float, paths: list[str]) -> None:
        self._api = services.api.captions
        self._threads, self._seconds, self._paths = threads, seconds, paths

    def beside(self, ingest: Ingest) -> dict[str, Any]:
        """Seconds of each lookup, by kind: alone, and while the ingest runs; and its result."""
        alone = self._all()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(ingest.run)
            time.sleep(2)
            beside = self._all()
            return {"alone": alone, "beside": beside, "ingest": running.result()}

    def _all(self) -> dict[str, list[float]]:
        kinds: dict[str, Callable[[], Response]] = {"get": self._get}
        for name, query in SEARCHES.items():
            kinds[name] = lambda query=query: self._list(query)  # type: ignore[misc]
        return {name: self._timed(ask) for name, ask in kinds.items()}

    def _get(self) -> Response:
        path = random.choice(self._paths)
        request = Request(f"http://bench/api/captions/{path}", path)
        return respond(self._api.get_caption, request)

    def _list(self, query: str) -> Response:
        return respond(self._api.list_captions, Request(LIST + query))

    def _timed(self, ask: Callable[[], Response]) -> list[float]:
        end = time.monotonic() + self._seconds
        times: list[float] = []
        lock = threading.Lock()

        def work() -> None:
            while (began := time.monotonic()) < end:
                status = ask().status
                assert status == 200, status
                with lock:
                    times.append(time.monotonic() - began)

        with ThreadPoolExecutor(self._threads) as pool:
            for done in [pool.submit(work) for _ in range(self._threads)]:
                done.result()
        return sorted(times)
