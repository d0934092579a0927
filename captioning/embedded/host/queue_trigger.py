"""Queue-triggered functions: one invocation for each message of a storage queue."""

from __future__ import annotations

import azure.functions as func
from azure.functions import queue as azure_functions_queue
from azure.storage.queue import QueueClient

from captioning.embedded.host.functions import Function
from captioning.embedded.host.invocation import Invoker
from captioning.embedded.host.queue_listener import Received, Work
from captioning.embedded.host.storage import StorageAccount


def queue_work(function: Function, account: StorageAccount, invoker: Invoker) -> Work:
    """Invokes the function with a `QueueMessage`. A message that keeps failing is moved to
    `<queue>-poison`.

    A poison queue has no poison queue of its own: a message that fails there stays, and is tried
    again when it is visible.
    """
    function.expects(func.QueueMessage)
    name = str(function.binding["queueName"])
    poison = None if name.endswith("-poison") else account.queue(f"{name}-poison")

    def run(received: Received) -> None:
        invoker.run(function, _queue_message(received))

    def poison_queue(_: Received) -> QueueClient | None:
        return poison

    return Work(lambda _: function.name, run, poison_queue)


def _queue_message(received: Received) -> func.QueueMessage:
    """The message as the function receives it."""
    raw = received.raw
    # azure-functions types this class's properties, not its constructor
    return azure_functions_queue.QueueMessage(  # type: ignore[no-untyped-call]
        id=raw.id,
        body=received.body,
        dequeue_count=raw.dequeue_count,
        expiration_time=raw.expires_on,
        insertion_time=raw.inserted_on,
        time_next_visible=raw.next_visible_on,
        pop_receipt=raw.pop_receipt,
    )
