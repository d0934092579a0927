"""The storage account with images, tables and queues; each client is made at its first use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError

from captioning.app.credentials import token_provider
from captioning.config.sections import backup_container, thumbnails_container
from captioning.config.settings import Settings
from captioning.errors import ServiceUnavailable
from captioning.storage import queues
from captioning.storage.accounts import BlobAccount, TableAccount
from captioning.storage.authorization import SCOPE
from captioning.storage.backups import BackupContainer
from captioning.storage.blobs import ImageContainer
from captioning.storage.queues import MessageQueue, PoisonQueue
from captioning.storage.tables import Table
from captioning.storage.thumbnails import ThumbnailContainer

TABLES = ("catalog", "words", "reuse", "bursts", "usage", "state", "trash")
"""Suffixes of the tables' names; CAPTIONS_TABLE comes before them."""
OLDER_TABLES = ("", "index")
"""Those of the first layout, which `migrate` moves."""


class StorageAccount:
    """Clients by the settings; `credential` is used where there is no connection string."""

    def __init__(self, settings: Settings, credential: Callable[[], TokenCredential]) -> None:
        self._settings = settings
        self._connection_string = settings.storage.connection_string
        self._app_credential = credential
        self._closers: list[Callable[[], None]] = []

    @property
    def _credential(self) -> TokenCredential | None:
        return None if self._connection_string else self._app_credential()

    @cached_property
    def images(self) -> ImageContainer:
        """The container of images."""
        return self._blobs.images(self._settings.images_container)

    @cached_property
    def thumbnails(self) -> ThumbnailContainer:
        """The container of their thumbnails."""
        return self._blobs.thumbnails(thumbnails_container(self._settings.images_container))

    @cached_property
    def backups(self) -> BackupContainer:
        """The container of backups."""
        return self._blobs.backups(backup_container(self._settings.images_container))

    @cached_property
    def deferrals(self) -> MessageQueue:
        """The queue of images that wait."""
        queue = queues.connect(
            self._settings.queues.deferred,
            connection_string=self._connection_string,
            account_uri=self._settings.storage.queue_uri,
            credential=self._credential,
        )
        self._closers.append(queue.close)
        return queue

    @cached_property
    def notices(self) -> MessageQueue:
        """The queue of notifications for the webhook."""
        queue = queues.connect(
            self._settings.queues.notify,
            connection_string=self._connection_string,
            account_uri=self._settings.storage.queue_uri,
            credential=self._credential,
        )
        self._closers.append(queue.close)
        return queue

    @cached_property
    def poison(self) -> PoisonQueue:
        """The host's queue of blob events that it gave up."""
        queue = queues.connect_poison(
            connection_string=self._connection_string,
            account_uri=self._settings.storage.queue_uri,
            credential=self._credential,
        )
        self._closers.append(queue.close)
        return queue

    @property
    def checks(self) -> dict[str, Callable[[], bool]]:
        """Whether the parts answer that every image needs, by their names in `/api/health`."""
        return {
            "images": self.images.is_there,
            "captions": self.table("catalog").is_there,
            "queue": self.deferrals.is_there,
        }

    def table(self, kind: str) -> Table:
        """One of TABLES, or of OLDER_TABLES."""
        return self._tables.table(f"{self._settings.captions_table}{kind}")

    def has_older_records(self) -> bool:
        """Whether there are records of the first layout. StorageUnavailable where that is unknown:
        taken for a no, it would put an empty catalogue in the place of the records."""
        return self.table(OLDER_TABLES[0]).has_entities()

    def create(self) -> None:
        """Makes containers, queues and tables where they are missing."""
        try:
            self.images.create()
            self.thumbnails.create()
            self.backups.create()
            self.deferrals.create()
            if self._settings.webhook:
                self.notices.create()
            for kind in TABLES:
                self._tables.create(f"{self._settings.captions_table}{kind}")
        except AzureError as error:
            raise ServiceUnavailable(
                "ImageStorage does not answer as a storage account does."
            ) from error

    def close(self) -> None:
        """Closes every pool."""
        while self._closers:
            self._closers.pop()()

    def _token(self) -> str:
        return self._provide_token()

    @cached_property
    def _provide_token(self) -> Callable[[], str]:
        return token_provider(self._app_credential(), SCOPE)

    @cached_property
    def _blobs(self) -> BlobAccount:
        account = BlobAccount(
            connection_string=self._connection_string,
            account_uri=self._settings.storage.blob_uri,
            credential=self._credential,
            token=self._token,
        )
        self._closers.append(account.close)
        return account

    @cached_property
    def _tables(self) -> TableAccount:
        account = TableAccount(
            connection_string=self._connection_string,
            account_uri=self._settings.storage.table_uri,
            credential=self._credential,
            token=self._token,
        )
        self._closers.append(account.close)
        return account
