"""What the host is told when it indexes the functions, when a bad setting may not stop it."""

from __future__ import annotations

import os

from captioning.config.sections import DEFERRED, DELETED, NOTIFY, queue_name
from captioning.config.settings import BlobTriggerSource


def blob_trigger_source() -> BlobTriggerSource:
    """Where blob events come from."""
    polling = os.environ.get("BLOB_TRIGGER_SOURCE") == "LogsAndContainerScan"
    return "LogsAndContainerScan" if polling else "EventGrid"


def deferred_queue() -> str:
    """Queue of the images that wait for later."""
    return queue_name(DEFERRED, os.environ.get("CAPTIONS_TABLE", ""))


def deleted_queue() -> str:
    """Queue of the events of deleted images."""
    return queue_name(DELETED, os.environ.get("CAPTIONS_TABLE", ""))


def notify_queue() -> str:
    """Queue of what the webhook's receiver is to be told."""
    return queue_name(NOTIFY, os.environ.get("CAPTIONS_TABLE", ""))
