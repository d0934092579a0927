"""The Event Grid endpoint `/runtime/webhooks/blobs`: the source `EventGrid`.

Like the real extension it checks neither the name of the function nor the container. An event for
an unknown function is answered with 202, and dropped when its message is read. An event for a blob
in another container than the function's path names runs the function. Both are logged.
"""

from __future__ import annotations

import ipaddress
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import AzureError

from captioning.embedded.host.blob_trigger import FUNCTION_ID, BlobMessage, bare_etag
from captioning.embedded.host.http_server import RawRequest, Reply

logger = logging.getLogger("captioning.embedded.host")

BLOB_CREATED = "Microsoft.Storage.BlobCreated"
Enqueue = Callable[[BlobMessage], None]


class BlobWebhook:
    """Accepts Event Grid's own schema (an array) and CloudEvents (an object or an array)."""

    def __init__(self, enqueue: Enqueue) -> None:
        self._enqueue = enqueue

    def respond(self, request: RawRequest, params: Mapping[str, str]) -> Reply:
        """Answers handshakes and notifications. 202 means that every event has been queued."""
        if request.method == "OPTIONS":
            origin = request.headers.get("webhook-request-origin", "*")
            return Reply(200, (("WebHook-Allowed-Origin", origin), ("WebHook-Allowed-Rate", "*")))
        kind = request.headers.get("aeg-event-type", "").lower()
        name = next((params[key] for key in params if key.lower() == "functionname"), "")
        try:
            events = _events(request.body)
            if kind == "subscriptionvalidation":
                return _validation(events)
            if kind != "notification" or request.method != "POST":
                return Reply(400)
            messages = [_message(name, event) for event in events if _is_created(event)]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            logger.warning("The blob webhook received a body that is not an event")
            return Reply(400)
        return self._accept(messages)

    def _accept(self, messages: list[BlobMessage]) -> Reply:
        """Queues the messages before it answers: with 500, Event Grid delivers again."""
        try:
            for message in messages:
                self._enqueue(message)
        except AzureError as error:
            reason = str(error).partition("\n")[0]
            logger.error("An event could not be queued: %s", reason)
            return Reply(500)
        return Reply(202)


def blob_of(url: str) -> tuple[str, str]:
    """Container and name from the URL of a blob; ValueError if it has none. URLs of Azurite, and of
    other hosts by IP address, begin with the account."""
    parts = urlsplit(url)
    path = parts.path.removeprefix("/")
    if _is_path_style(parts.hostname or ""):
        path = path.partition("/")[2]
    container, _, name = unquote(path).partition("/")
    if not container or not name:
        raise ValueError("no blob in the event's URL")
    return container, name


def _is_path_style(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True


def _events(body: bytes) -> list[dict[str, Any]]:
    parsed = json.loads(body)
    return parsed if isinstance(parsed, list) else [parsed]


def _validation(events: list[dict[str, Any]]) -> Reply:
    answer = {"validationResponse": events[0]["data"]["validationCode"]}
    return Reply(200, (("Content-Type", "application/json"),), json.dumps(answer).encode())


def _is_created(event: dict[str, Any]) -> bool:
    return BLOB_CREATED in {event.get("eventType"), event.get("type")}


def _message(function_id: str, event: dict[str, Any]) -> BlobMessage:
    data = event["data"]
    container, name = blob_of(str(data["url"]))
    return BlobMessage(
        function=function_id.removeprefix(FUNCTION_ID),
        blob_type=str(data.get("blobType", "BlockBlob")),
        container=container,
        name=name,
        etag=bare_etag(data.get("eTag")),
    )
