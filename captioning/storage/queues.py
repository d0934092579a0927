"""The queues of images that are to be processed later, of notices for the webhook, and of blob
events that the host gave up. The home of azure-storage-queue."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import timedelta

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ResourceExistsError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.queue import (
    BinaryBase64EncodePolicy,
    QueueClient,
    QueueServiceClient,
    TextBase64EncodePolicy,
)

from captioning.domain.messages import Message
from captioning.storage.errors import storage_answers
from captioning.storage.sessions import BACKOFF, PATIENCE, ExactPathSession

LONGEST_DELAY = 7 * 24 * 3600 - 60
"""Seconds; the service hides a message for at most seven days."""
FOREVER = -1
"""How long a message lives. The service's own seven days would end images that wait for money."""
POISON = "webjobs-blobtrigger-poison"
"""The host's own name, the same for every app."""


class MessageQueue:
    """Messages that become visible when their image is due; safe to share between threads.

    They are base64, as `messageEncoding` in host.json says. StorageUnavailable where the queue does
    not answer as it should.
    """

    def __init__(self, client: QueueClient) -> None:
        self._client = client

    @storage_answers
    def put(self, message: Message, delay: float) -> None:
        """Sends the message, to be seen after `delay` seconds; at most seven days."""
        hidden = min(max(math.ceil(delay), 0), LONGEST_DELAY)
        self._client.send_message(
            message.to_json(), visibility_timeout=hidden, time_to_live=FOREVER
        )

    @storage_answers
    def depth(self) -> int:
        """About how many messages there are, hidden ones included."""
        return self._client.get_queue_properties().approximate_message_count or 0

    def is_there(self) -> bool:
        """Whether the queue answers; asked once, for health."""
        try:
            self._client.get_queue_properties(retry_total=0)
        except AzureError:
            return False
        return True

    def create(self) -> None:
        """Makes the queue where it is missing, in one attempt. In Azure the infrastructure does
        that."""
        with suppress(ResourceExistsError):
            self._client.create_queue(retry_total=0)

    def close(self) -> None:
        """Closes the pool."""
        self._client.close()


class PoisonQueue:
    """The host's queue of blob events that it gave up, which all apps on the account share; safe to
    share between threads."""

    def __init__(self, client: QueueClient) -> None:
        self._client = client

    @storage_answers
    def put_back(self, body: bytes, hidden: timedelta, lives: timedelta | None) -> None:
        """Sends a message with this body, to be seen after `hidden`, of whole seconds; `lives` None
        is for ever. StorageUnavailable where the queue does not answer as it should."""
        self._client.send_message(
            body,
            visibility_timeout=int(hidden.total_seconds()),
            time_to_live=FOREVER if lives is None else math.ceil(lives.total_seconds()),
        )

    def close(self) -> None:
        """Closes the pool."""
        self._client.close()


def connect(
    name: str,
    *,
    connection_string: str | None = None,
    account_uri: str = "",
    credential: TokenCredential | None = None,
) -> MessageQueue:
    """The queue of a connection string, or of an account's queue address and an identity."""
    service = _service(connection_string, account_uri, credential)
    return MessageQueue(
        service.get_queue_client(name, message_encode_policy=TextBase64EncodePolicy())
    )


def connect_poison(
    *,
    connection_string: str | None = None,
    account_uri: str = "",
    credential: TokenCredential | None = None,
) -> PoisonQueue:
    """The poison queue of the same account."""
    service = _service(connection_string, account_uri, credential)
    client = service.get_queue_client(POISON, message_encode_policy=BinaryBase64EncodePolicy())
    return PoisonQueue(client)


def _service(
    connection_string: str | None, account_uri: str, credential: TokenCredential | None
) -> QueueServiceClient:
    options = {
        "transport": RequestsTransport(session=ExactPathSession(pool=64)),
        **PATIENCE,
        **BACKOFF,
    }
    if connection_string:
        return QueueServiceClient.from_connection_string(connection_string, **options)
    return QueueServiceClient(account_uri, credential=credential, **options)
