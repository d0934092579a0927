"""Blob-triggered functions: every blob becomes a message on the host's own queue first.

As in the real host, blobs that a scan finds and blobs that Event Grid announces use the same queue.
So a crash loses none of them, and both get five attempts and a poison queue.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azurefunctions.extensions.base import Datum
from azurefunctions.extensions.bindings.blob import BlobClientConverter

from captioning.embedded.host.functions import Function, HostStartError, Invoker
from captioning.embedded.host.queue_listener import Message, Work
from captioning.embedded.host.routing import unescaped
from captioning.embedded.host.storage import StorageAccount, encoded, reason
from captioning.embedded.host.web_host import RawRequest, Reply

logger = logging.getLogger("captioning.embedded.host")

FUNCTION_ID = "Host.Functions."
POISON_QUEUE = "webjobs-blobtrigger-poison"
BLOCK_BLOB = "BlockBlob"
PATH = re.compile(r"([^/{}]+)(?:/\{\w+\})?")


@dataclass(frozen=True)
class BlobMessage:
    """A message about a blob, on the host queue and on the poison queue. `function_id` is the
    function's name with its prefix; the ETag has its quotes."""

    function_id: str
    blob_type: str
    container: str
    name: str
    etag: str

    def text(self) -> str:
        """The message as it is queued: JSON in base64, whatever `messageEncoding` says."""
        fields = {
            "Type": "BlobTrigger",
            "FunctionId": self.function_id,
            "BlobType": self.blob_type,
            "ContainerName": self.container,
            "BlobName": self.name,
            "ETag": self.etag,
        }
        return encoded(json.dumps(fields, indent=2).encode())

    @classmethod
    def read(cls, body: bytes) -> BlobMessage:
        """Parses the decoded body of a message; ValueError, KeyError or TypeError if it is none."""
        fields = json.loads(body)
        return cls(
            function_id=str(fields["FunctionId"]),
            blob_type=str(fields.get("BlobType", BLOCK_BLOB)),
            container=str(fields["ContainerName"]),
            name=str(fields["BlobName"]),
            etag=quoted(fields.get("ETag")),
        )


Enqueue = Callable[[BlobMessage], None]


@dataclass(frozen=True)
class BlobFunction:
    """A blob-triggered function with its account and container. `scans` is whether it finds blobs
    by listing the container."""

    function: Function
    account: StorageAccount
    container: str
    scans: bool

    @classmethod
    def of(cls, function: Function, account: StorageAccount) -> BlobFunction:
        """Reads the function's binding. HostStartError if its parameter is not a BlobClient, or its
        path selects some of a container's blobs."""
        asked = function.annotation
        if not (isinstance(asked, type) and BlobClientConverter.check_input_type_annotation(asked)):
            raise HostStartError(
                f"{function.name}: the embedded host passes '{function.parameter}' as a BlobClient "
                "of azurefunctions.extensions.bindings.blob, not as an InputStream; annotate it so"
            )
        path = str(function.binding["path"])
        found = PATH.fullmatch(path)
        if not found:
            raise HostStartError(
                f"{function.name}: the embedded host runs it for all blobs of a container; make "
                f"its path CONTAINER/{{name}}, not {path}"
            )
        scans = function.binding.get("source", "LogsAndContainerScan") != "EventGrid"
        return cls(function, account, found[1], scans)

    @property
    def id(self) -> str:
        """The name by which messages and Event Grid subscriptions call it."""
        return FUNCTION_ID + self.function.name

    def runs_for(self, message: BlobMessage) -> bool:
        """Whether the blob exists and, if a scan found it, still has the version of the message: a
        message about the new version follows."""
        client = self.account.blobs.get_blob_client(message.container, message.name)
        try:
            properties = client.get_blob_properties()
        except ResourceNotFoundError:
            return False
        return not self.scans or quoted(properties.etag) == message.etag

    def argument(self, message: BlobMessage) -> object:
        """The client for the blob. The extension itself creates it, from the settings in the
        environment, as under the real host."""
        content = {
            "Connection": self.function.connection,
            "ContainerName": message.container,
            "BlobName": message.name,
        }
        data = SimpleNamespace(
            content=json.dumps(content).encode(),
            version="1.0",
            source="AzureStorageBlobs",
            content_type="application/json",
        )
        datum = Datum(data, "model_binding_data")
        return BlobClientConverter.decode(
            datum, trigger_metadata=None, pytype=self.function.annotation
        )


class BlobTrigger:
    """What the messages of the host queue ask for. `host` is the host's own account."""

    def __init__(
        self, functions: Iterable[BlobFunction], host: StorageAccount, invoker: Invoker
    ) -> None:
        self._functions = {blob.id: blob for blob in functions}
        self._host = host
        self._invoker = invoker

    def work(self, message: Message) -> Work:
        """The call for a message. If it keeps failing, the message is moved in the account of the
        blob."""
        try:
            found = BlobMessage.read(message.body or b"")
        except (ValueError, KeyError, TypeError) as error:
            poison = self._host.queue(POISON_QUEUE)
            return Work("The queue of blobs", partial(_raise, error), poison)
        blob = self._functions.get(found.function_id)
        if blob is None:
            lost = partial(logger.error, "There is no '%s': its event is lost", found.function_id)
            return Work(found.function_id, lost, self._host.queue(POISON_QUEUE))
        run = partial(self._run, blob, found)
        return Work(blob.function.name, run, blob.account.queue(POISON_QUEUE))

    def _run(self, blob: BlobFunction, message: BlobMessage) -> None:
        if not blob.runs_for(message):
            return
        if message.container != blob.container:
            told = "%s runs for a blob of '%s', not of '%s', as under the real host"
            logger.warning(told, blob.function.name, message.container, blob.container)
        self._invoker.run(blob.function, blob.argument(message))


class BlobWebhook:
    """The Event Grid endpoint `/runtime/webhooks/blobs`. It takes Event Grid's own schema and
    CloudEvents, one event or a list.

    Like the real one it looks at neither the name of the function nor the event's type, the host of
    its URL or its container: 202 says that the events are queued, and nothing about a call.
    """

    def __init__(self, enqueue: Enqueue) -> None:
        self._enqueue = enqueue

    def respond(self, request: RawRequest, params: Mapping[str, str]) -> Reply:
        """Answers handshakes and notifications. 202 means that every event has been queued."""
        if request.method == "OPTIONS":
            origin = request.headers.get("webhook-request-origin", "*")
            return Reply(200, (("WebHook-Allowed-Origin", origin), ("WebHook-Allowed-Rate", "*")))
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return Reply(202)
        if kind not in {"notification", "subscriptionvalidation"} or request.method != "POST":
            return Reply(400)
        function_id = next((params[key] for key in params if key.lower() == "functionname"), "")
        try:
            events = _events(request.body)
            if kind == "subscriptionvalidation":
                return _validation(events[0])
            messages = [_message(function_id, event) for event in events]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            logger.warning("The blob webhook received a body that is not an event")
            return Reply(400)
        return self._accept(messages)

    def _accept(self, messages: list[BlobMessage]) -> Reply:
        """Queues the messages before it answers: with 500, Event Grid delivers again."""
        try:
            for message in messages:
                if message.name:
                    self._enqueue(message)
        except AzureError as error:
            logger.error("An event could not be queued: %s", reason(error))
            return Reply(500)
        return Reply(202)


def blob_of(url: str) -> tuple[str, str]:
    """Container and name from the URL of a blob, of whatever account; the name is empty if there is
    none. URLs of Azurite, and of other hosts by IP address, begin with the account.

    The path is decoded once, `?` ends it and `#` does not; slashes at the ends of a name are cut.
    """
    path = url.partition("?")[0].partition("://")[2].partition("/")[2]
    if _is_path_style(urlsplit(url).hostname or ""):
        path = path.partition("/")[2]
    container, _, name = path.partition("/")
    return unescaped(container), unescaped(name).strip("/")


def quoted(etag: object) -> str:
    """The ETag with quotes: headers have them, listings and events do not."""
    bare = str(etag or "").strip('"')
    return f'"{bare}"'


def _is_path_style(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True


def _events(body: bytes) -> list[dict[str, Any]]:
    parsed = json.loads(body)
    return parsed if isinstance(parsed, list) else [parsed]


def _validation(event: dict[str, Any]) -> Reply:
    answer = {"validationResponse": event["data"]["validationCode"]}
    body = json.dumps(answer, separators=(",", ":")).encode()
    return Reply(200, (("Content-Type", "application/json"),), body)


def _message(function_id: str, event: dict[str, Any]) -> BlobMessage:
    data = event["data"]
    blob_type, etag = str(data.get("blobType", BLOCK_BLOB)), quoted(data.get("eTag"))
    return BlobMessage(function_id, blob_type, *blob_of(str(data["url"])), etag)


def _raise(error: Exception) -> None:
    raise error
