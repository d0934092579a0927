"""The app in a process of its own, told what to do by lines of JSON and answering with such.

    python -m bench.harness.worker [--meter]

It is the composition of `function_app`, asked directly: no Functions host is in it. As under a
host, so many threads each take an image when they have finished one.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections import deque
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, TextBase64DecodePolicy

from bench.harness.cpu_meter import Meter
from bench.harness.ingest import Ingest, Plan
from bench.harness.readers import Readers
from captioning import triggers
from captioning.config import settings
from captioning.domain.messages import CaptionMessage

POLL_SECONDS = 0.25


class Deferred:
    """Takes messages off the queue when they can be seen, as a host does."""

    def __init__(self) -> None:
        self._queue = QueueClient.from_connection_string(
            settings.load().storage.connection_string or "",
            triggers.queues().deferred,
            message_decode_policy=TextBase64DecodePolicy(),
        )
        self._held: deque[CaptionMessage] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._poll)

    def __enter__(self) -> Deferred:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def next(self) -> CaptionMessage | None:
        """A message, or None."""
        try:
            return self._held.popleft()
        except IndexError:
            return None

    def _poll(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            try:
                for message in self._queue.receive_messages(max_messages=32):
                    self._held.append(CaptionMessage.from_json(message.content))
                    self._queue.delete_message(message)
            except ResourceNotFoundError:  # nothing was put off so far
                continue


def answer(told: dict[str, Any], services: Any, meter: Meter | None) -> dict[str, Any]:
    """Does what a line says."""
    readers, is_bad_day = told.pop("readers", None), told.pop("deferred", False)
    ingest = Ingest(Plan(**told), services.pipeline.process)
    if readers:
        return Readers(services, **readers).beside(ingest)
    if not is_bad_day:
        return ingest.run(meter)
    with Deferred() as deferred:
        return Ingest(Plan(**told), services.pipeline.process, deferred.next).run(meter)


def main() -> None:
    """Serves until its input ends."""
    logging.disable(logging.ERROR)
    meter = Meter() if "--meter" in sys.argv else None
    if meter:
        meter.install()
    import function_app

    services = function_app.services()
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line), services, meter)) + "\n")
        answers.flush()
    services.close()


if __name__ == "__main__":
    main()
