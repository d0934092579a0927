"""Clients of storage accounts by the name of their setting, and the log of storage outages."""

from __future__ import annotations

import logging
import threading
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from captioning.embedded.host.functions import HostStartError
from captioning.storage.sessions import ExactPathSession

logger = logging.getLogger("captioning.embedded.host")

NO_RETRIES: dict[str, Any] = {
    "retry_total": 0,
    "connection_timeout": 5,
    "read_timeout": 60,
    "permit_redirects": False,
}
"""Options of the clients. The loops of this host retry by themselves; clients that retried as well
would delay its stop."""
WHITESPACE = str.maketrans("", "", " \t\r\n")
"""What .NET ignores in base64."""


class StorageAccount:
    """Clients for one connection string; each is created once."""

    def __init__(self, connection: str) -> None:
        self._connection = connection
        self._queues: dict[str, QueueClient] = {}
        self._tables: list[TableClient] = []
        exact = RequestsTransport(session=ExactPathSession(pool=64))
        self.blobs = BlobServiceClient.from_connection_string(
            connection, transport=exact, **NO_RETRIES
        )

    def queue(self, name: str) -> QueueClient:
        """A client of the queue, which need not exist."""
        if name not in self._queues:
            self._queues[name] = QueueClient.from_connection_string(
                self._connection, name, **NO_RETRIES
            )
        return self._queues[name]

    def table(self, name: str) -> TableClient:
        """A client of the table, which need not exist."""
        table = TableClient.from_connection_string(self._connection, name, **NO_RETRIES)
        self._tables.append(table)
        return table

    def close(self) -> None:
        """Closes the clients' connections."""
        clients: list[Any] = [self.blobs, *self._queues.values(), *self._tables]
        for client in clients:
            client.close()


class StorageAccounts:
    """Accounts by the setting that holds their connection string. Identity-based connections are
    not supported: a laptop has no managed identity."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._accounts: dict[str, StorageAccount] = {}

    def get(self, setting: str, function: str) -> StorageAccount:
        """The account of the setting. HostStartError, which names `function`, if it holds no
        connection string."""
        if setting not in self._accounts:
            self._accounts[setting] = self._open(setting, function)
        return self._accounts[setting]

    def close(self) -> None:
        """Closes every account."""
        for account in self._accounts.values():
            account.close()

    def _open(self, setting: str, function: str) -> StorageAccount:
        connection = self._settings.get(setting)
        if not connection:
            raise HostStartError(
                f"{function}: the setting {setting} is missing; the embedded host needs a "
                "connection string there"
            )
        try:
            return StorageAccount(connection)
        except (ValueError, KeyError):
            raise HostStartError(
                f"{function}: the setting {setting} is not a connection string"
            ) from None


class Outage:
    """Logs once that storage does not answer, and once that it answers again.

    Many loops meet the same outage: it begins with the first of them and ends with the last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._down: set[str] = set()

    def began(self, where: str, error: AzureError) -> None:
        """Notes that `where` met an error, and will try again."""
        with self._lock:
            if not self._down:
                logger.warning("Storage does not answer %s, trying again: %s", where, reason(error))
            self._down.add(where)

    def ended(self, where: str) -> None:
        """Notes that `where` was answered."""
        with self._lock:
            if where in self._down:
                self._down.remove(where)
                if not self._down:
                    logger.warning("Storage answers again")


def reason(error: AzureError) -> str:
    """The first line of an error, for the log."""
    return str(error).partition("\n")[0]


def encoded(body: bytes) -> str:
    """The text of a message in base64."""
    return b64encode(body).decode()


def decoded(text: str) -> bytes | None:
    """The body of a message in base64; None if its text is none."""
    try:
        return b64decode(text.translate(WHITESPACE), validate=True)
    except ValueError:
        return None


def send(queue: QueueClient, text: str) -> None:
    """Puts a message on the queue, and creates the queue if it does not exist."""
    try:
        queue.send_message(text)
    except ResourceNotFoundError:
        with suppress(ResourceExistsError):
            queue.create_queue()
        queue.send_message(text)
