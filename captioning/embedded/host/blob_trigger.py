"""Blob-triggered functions: every blob becomes a message on the host's own queue first.

As in the real host, blobs that a scan finds and blobs that Event Grid announces use the same queue.
So a crash loses none of them, and both get five attempts and a poison queue. InputStream, str and
bytes parameters are not supported (the app uses `BlobClient`), nor are blob inputs and outputs.
"""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient
from azurefunctions.extensions.base import Datum
from azurefunctions.extensions.bindings.blob import (
    BlobClientConverter,
)

from captioning.embedded.host.functions import Function, HostStartError
from captioning.embedded.host.invocation import Invoker
from captioning.embedded.host.queue_listener import Received, Work
from captioning.embedded.host.storage import StorageAccount

logger = logging.getLogger("captioning.embedded.host")

FUNCTION_ID = "Host.Functions."
POISON_QUEUE = "webjobs-blobtrigger-poison"


@dataclass(frozen=True)
class BlobMessage:
    """A message about a blob, on the host queue and on the poison queue."""

    function: str
    blob_type: str
    container: str
    name: str
    etag: str

    def text(self) -> str:
        """The message as it is queued: JSON in base64."""
        fields = {
            "Type": "BlobTrigger",
            "FunctionId": FUNCTION_ID + self.function,
            "BlobType": self.blob_type,
            "ContainerName": self.container,
            "BlobName": self.name,
            "ETag": self.etag,
        }
        return b64encode(json.dumps(fields).encode()).decode()

    @classmethod
    def read(cls, body: bytes) -> BlobMessage:
        """Parses the decoded body of a message; ValueError, KeyError or TypeError if it is none."""
        fields = json.loads(body)
        return cls(
            function=str(fields["FunctionId"]).removeprefix(FUNCTION_ID),
            blob_type=str(fields.get("BlobType", "BlockBlob")),
            container=str(fields["ContainerName"]),
            name=str(fields["BlobName"]),
            etag=bare_etag(fields.get("ETag")),
        )


@dataclass(frozen=True)
class BlobFunction:
    """A blob-triggered function with its account, container and pattern of names. `polls` is
    whether it finds blobs by scanning."""

    function: Function
    account: StorageAccount
    container: str
    pattern: re.Pattern[str]
    polls: bool

    @classmethod
    def of(cls, function: Function, account: StorageAccount) -> BlobFunction:
        """Reads the function's binding. HostStartError if its parameter is not a BlobClient."""
        asked = function.annotation
        if not (isinstance(asked, type) and BlobClientConverter.check_input_type_annotation(asked)):
            raise HostStartError(
                f"{function.name}: the embedded host passes '{function.parameter}' as a BlobClient "
                "of azurefunctions.extensions.bindings.blob, not as an InputStream; annotate it so"
            )
        container, _, name = str(function.binding["path"]).partition("/")
        parts = re.split(r"(\{[^{}]*\})", name or "{name}")
        pattern = "".join(".+" if part.startswith("{") else re.escape(part) for part in parts)
        polls = function.binding.get("source", "LogsAndContainerScan") != "EventGrid"
        return cls(function, account, container, re.compile(pattern, re.DOTALL), polls)


class BlobWork:
    """Processes the messages of the host queue."""

    def __init__(
        self, functions: Iterable[BlobFunction], host: StorageAccount, invoker: Invoker
    ) -> None:
        self._functions = {blob.function.name: blob for blob in functions}
        self._host = host
        self._invoker = invoker

    def as_work(self) -> Work:
        """These methods, in the form that the listener takes."""
        return Work(self.name, self.run, self.poison)

    def name(self, received: Received) -> str:
        """The function's name, for the log."""
        message = _readable(received)
        return message.function if message else "The blob queue"

    def run(self, received: Received) -> None:
        """Runs the function for the blob, unless the blob is gone or has changed since a scan found
        it: a message about the new version follows."""
        message = BlobMessage.read(received.body)
        blob = self._functions.get(message.function)
        if blob is None:
            logger.error("%s is no blob-triggered function: event dropped", message.function)
        elif _is_current(blob, message):
            if message.container != blob.container:
                logger.warning(
                    "%s runs for a blob of '%s', not of '%s', as under the real host",
                    message.function,
                    message.container,
                    blob.container,
                )
            self._invoker.run(blob.function, _argument(blob.function, message))

    def poison(self, received: Received) -> QueueClient:
        """The poison queue, in the account of the function's blobs."""
        message = _readable(received)
        blob = self._functions.get(message.function) if message else None
        return (blob.account if blob else self._host).queue(POISON_QUEUE)


@dataclass(frozen=True)
class _ModelBindingData:
    """The data that the real host sends to the worker for a parameter of an SDK type."""

    content: bytes
    version: str = "1.0"
    source: str = "AzureStorageBlobs"
    content_type: str = "application/json"


def bare_etag(etag: object) -> str:
    """The ETag without quotes: headers have them, listings and events do not."""
    return str(etag or "").strip('"')


def _readable(received: Received) -> BlobMessage | None:
    """The message, or None if its body is not about a blob."""
    try:
        return BlobMessage.read(received.body)
    except (ValueError, KeyError, TypeError):
        return None


def _is_current(blob: BlobFunction, message: BlobMessage) -> bool:
    """Whether the blob exists and, for a scanned one, still has the version of the message."""
    client = blob.account.blobs.get_blob_client(message.container, message.name)
    try:
        properties = client.get_blob_properties()
    except ResourceNotFoundError:
        return False
    return not blob.polls or bare_etag(properties.etag) == message.etag


def _argument(function: Function, message: BlobMessage) -> object:
    """The client for the blob. The extension itself creates it, from the settings in the
    environment, as under the real host."""
    content = {
        "Connection": function.connection,
        "ContainerName": message.container,
        "BlobName": message.name,
    }
    datum = Datum(_ModelBindingData(json.dumps(content).encode()), "model_binding_data")
    return BlobClientConverter.decode(datum, trigger_metadata=None, pytype=function.annotation)
