"""What `function_app.py` needs of the Functions host: names for its bindings, and the messages that
the host and Event Grid put on queues.

The host indexes the functions before any setting is checked, and a bad setting must not prevent it.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from captioning.config.sections import QueueNames, queue_names
from captioning.config.settings import BlobTriggerSource
from captioning.domain.messages import CaptionMessage

log = logging.getLogger("captioning.triggers")

BLOB_FUNCTION = "caption_image"
"""The function that blob events are for. Event Grid's subscription names it."""
BLOB_DELETED = "Microsoft.Storage.BlobDeleted"
SUBJECT = "/blobServices/default/containers/"


def blob_trigger_source() -> BlobTriggerSource:
    """Where blob events come from."""
    polling = os.environ.get("BLOB_TRIGGER_SOURCE") == "LogsAndContainerScan"
    return "LogsAndContainerScan" if polling else "EventGrid"


def queues() -> QueueNames:
    """The app's queues."""
    return queue_names(os.environ.get("CAPTIONS_TABLE", ""))


def poisoned_path(text: str | bytes, container: str) -> str | None:
    """The path in a message of `webjobs-blobtrigger-poison` that `caption_image` was called about
    for a blob of this container; None where the message is another app's, or none of the host's."""
    # {"Type": "BlobTrigger", "FunctionId": "Host.Functions.caption_image",
    #  "BlobType": "BlockBlob", "ContainerName": "images", "BlobName": "a.jpg", "ETag": "0x8D…"}
    try:
        message = _object(_parsed(text))
        function, path = _text(message, "FunctionId"), _text(message, "BlobName")
        is_own = _text(message, "ContainerName") == container
    except ValueError:
        return None
    # Documentation has the app's name in place of `Host`.
    return path if is_own and function.endswith(f".Functions.{BLOB_FUNCTION}") else None


def given_up(text: str | bytes) -> CaptionMessage | None:
    """The message in one of the poison queue of `caption_deferred`. None, with a line in the log,
    where it is none of the app's: raising would have the host try it again for ever."""
    try:
        return CaptionMessage.from_json(text)
    except ValueError:
        log.error("A message on the poison queue of caption_deferred is none of the app's: dropped")
        return None


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
