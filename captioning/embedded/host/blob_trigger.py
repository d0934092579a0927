"""Blob-triggered functions: every blob found or announced is a message on one host queue first.

As in the real host the queue carries both sources, so nothing accepted is lost by a crash, five
attempts and the poison queue included. Left out: InputStream, str and bytes parameters (the app
takes a `BlobClient`), blob inputs and outputs.
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

logger = logging.getLogger(__name__)

FUNCTION_ID = "Host.Functions."
POISON_QUEUE = "webjobs-blobtrigger-poison"


@dataclass(frozen=True)
class BlobMessage:
    """What the host queue says about a blob; the poison queue gets the same."""

    function: str
    blob_type: str
    container: str
    name: str
    etag: str

    def text(self) -> str:
        """As it is put on the queue."""
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
        """From a decoded message of the queue."""
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
    """A blob-triggered function with its account, container, name pattern and source."""

    function: Function
    account: StorageAccount
    container: str
    pattern: re.Pattern[str]
    polls: bool

    @classmethod
    def of(cls, function: Function, account: StorageAccount) -> BlobFunction:
        """Reads the binding; a parameter that is no SDK type stops the start."""
        asked = function.annotation
        if not (isinstance(asked, type) and BlobClientConverter.check_input_type_annotation(asked)):
            raise HostStartError(
                f"{function.name}: the embedded host gives '{function.parameter}' a BlobClient of "
                "azurefunctions.extensions.bindings.blob, no InputStream; annotate it so"
            )
        container, _, name = str(function.binding["path"]).partition("/")
        parts = re.split(r"(\{[^{}]*\})", name or "{name}")
        pattern = "".join(".+" if part.startswith("{") else re.escape(part) for part in parts)
        polls = function.binding.get("source", "LogsAndContainerScan") != "EventGrid"
        return cls(function, account, container, re.compile(pattern, re.DOTALL), polls)


class BlobWork:
    """What the listener of the host queue does with a message."""

    def __init__(
        self, functions: Iterable[BlobFunction], host: StorageAccount, invoker: Invoker
    ) -> None:
        self._functions = {blob.function.name: blob for blob in functions}
        self._host = host
        self._invoker = invoker

    def as_work(self) -> Work:
        """For the listener."""
        return Work(self.name, self.run, self.poison)

    def name(self, received: Received) -> str:
        """The function's name, for the log."""
        message = _readable(received)
        return message.function if message else "The blob queue"

    def run(self, received: Received) -> None:
        """One attempt; a blob that is gone, or changed since a scan saw it, is done with."""
        message = BlobMessage.read(received.body)
        blob = self._functions.get(message.function)
        if blob is None:
            logger.error("%s is no blob-triggered function: event dropped", message.function)
        elif _is_current(blob, message):
            if message.container != blob.container:
                logger.warning(
                    "%s runs for a blob of '%s', not of '%s': the real host does not look either",
                    message.function,
                    message.container,
                    blob.container,
                )
            self._invoker.run(blob.function, _argument(blob.function, message))

    def poison(self, received: Received) -> QueueClient:
        """In the blob's own account."""
        message = _readable(received)
        blob = self._functions.get(message.function) if message else None
        return (blob.account if blob else self._host).queue(POISON_QUEUE)


@dataclass(frozen=True)
class _ModelBindingData:
    """What the real host sends the worker for an SDK-typed parameter."""

    content: bytes
    version: str = "1.0"
    source: str = "AzureStorageBlobs"
    content_type: str = "application/json"


def bare_etag(etag: object) -> str:
    """Without quotes: listings, headers and events differ in them."""
    return str(etag or "").strip('"')


def _readable(received: Received) -> BlobMessage | None:
    try:
        return BlobMessage.read(received.body)
    except (ValueError, KeyError, TypeError):
        return None


def _is_current(blob: BlobFunction, message: BlobMessage) -> bool:
    client = blob.account.blobs.get_blob_client(message.container, message.name)
    try:
        properties = client.get_blob_properties()
    except ResourceNotFoundError:
        return False
    return not blob.polls or bare_etag(properties.etag) == message.etag


def _argument(function: Function, message: BlobMessage) -> object:
    """The function's SDK client, made by the extension's own code from its own environment."""
    content = {
        "Connection": function.connection,
        "ContainerName": message.container,
        "BlobName": message.name,
    }
    datum = Datum(_ModelBindingData(json.dumps(content).encode()), "model_binding_data")
    return BlobClientConverter.decode(datum, trigger_metadata=None, pytype=function.annotation)
