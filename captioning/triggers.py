"""What `function_app.py` needs of the Functions host: names for its bindings, and the messages that
the host and Event Grid put on queues.

The host indexes the functions before any setting is checked, and a bad setting must not prevent it.
"""

from __future__ import annotations

import json
import os
from typing import Any

from captioning.config.sections import QueueNames, queue_names
from captioning.config.settings import BlobTriggerSource

BLOB_DELETED = "Microsoft.Storage.BlobDeleted"
SUBJECT = "/blobServices/default/containers/"


def blob_trigger_source() -> BlobTriggerSource:
    """Where blob events come from."""
    polling = os.environ.get("BLOB_TRIGGER_SOURCE") == "LogsAndContainerScan"
    return "LogsAndContainerScan" if polling else "EventGrid"


def queues() -> QueueNames:
    """The app's queues."""
    return queue_names(os.environ.get("CAPTIONS_TABLE", ""))


def poison_message(text: str | bytes) -> tuple[str, str]:
    """Container and path in a message of `webjobs-blobtrigger-poison`; ValueError where the text is
    no such message."""
    # {"Type": "BlobTrigger", "FunctionId": "Host.Functions.caption_image",
    #  "BlobType": "BlockBlob", "ContainerName": "images", "BlobName": "a.jpg", "ETag": "0x8D…"}
    message = _object(_parsed(text))
    return _text(message, "ContainerName"), _text(message, "BlobName")


def deleted_blob(text: str | bytes) -> tuple[str, str] | None:
    """Container and path in an Event Grid event that a blob was deleted; None for other events.

    Takes Event Grid's own schema and CloudEvents, one event or an array of one. ValueError where
    the text is no event. The path is taken from the subject as it is: it is not percent-encoded.
    """
    parsed = _parsed(text)
    if isinstance(parsed, list):
        if len(parsed) != 1:
            raise ValueError(f"the message holds {len(parsed)} events; one is expected")
        parsed = parsed[0]
    event = _object(parsed)
    if _text(event, "eventType" if "eventType" in event else "type") != BLOB_DELETED:
        return None
    subject = _text(event, "subject")
    container, _, path = subject.removeprefix(SUBJECT).partition("/blobs/")
    if not subject.startswith(SUBJECT) or not container or not path:
        raise ValueError(f"the event's `subject` is not {SUBJECT}CONTAINER/blobs/PATH")
    return container, path


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("the message is not JSON") from None


def _object(parsed: Any) -> dict[str, Any]:
    if not isinstance(parsed, dict):
        raise ValueError("the message is not a JSON object")
    return parsed


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"the message has no `{name}`")
    return value
