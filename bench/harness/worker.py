"""The app in a process of its own: reads a plan as a line of JSON, writes the result as another.

    python -m bench.harness.worker [--meter]

It calls the services that `function_app` builds, without a Functions host. As under a host, each of
a number of threads takes another image when it has finished one.
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
    """Takes messages from the queue when they become visible, as a host does."""

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
        """The next message, or None."""
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
            except ResourceNotFoundError:  # nothing has been deferred yet
                continue


def answer(plan: dict[str, Any], services: Any, meter: Meter | None) -> dict[str, Any]:
    """Runs the plan of one line and returns what was measured."""
    readers, has_deferrals = plan.pop("readers", None), plan.pop("deferred", False)
    ingest = Ingest(Plan(**plan), services.pipeline.process)
    if readers:
        return Readers(services, **readers).beside(ingest)
    if not has_deferrals:
        return ingest.run(meter)
    with Deferred() as deferred:
        return Ingest(Plan(**plan), services.pipeline.process, deferred.next).run(meter)


def main() -> None:
    """Serves until the input ends."""
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
