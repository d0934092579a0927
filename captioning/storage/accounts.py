"""The containers and tables of an account, and how they are reached."""

from __future__ import annotations

import time
from collections.abc import Callable

from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential, TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from captioning.storage.authorization import Authorization, Bearer, BlobKey, SharedAccess, TableKey
from captioning.storage.backups import BackupContainer
from captioning.storage.blob_rest import BlobWire
from captioning.storage.blobs import ImageContainer
from captioning.storage.curl import Curl
from captioning.storage.sessions import BACKOFF, PATIENCE, RETRIES, ExactPathSession
from captioning.storage.table_rest import TableRest
from captioning.storage.tables import Table
from captioning.storage.thumbnails import ThumbnailContainer

_ONE_GET = 104_857_600
"""Bytes that one request reads: the most that MAX_IMAGE_BYTES may be."""
_BLOCK = 262_144
"""Bytes taken from a connection at a time, as in the SDK's own transport. With the 4,096 of one
that is handed to it, taking them costs more than all else of a download."""


class BlobAccount:
    """The containers of an account, through one pool of connections. A connection string, or an
    address with a credential for the SDK and a source of tokens for the wire."""

    def __init__(
        self,
        *,
        connection_string: str | None = None,
        account_uri: str = "",
        credential: TokenCredential | None = None,
        token: Callable[[], str] = str,
        session: ExactPathSession | None = None,
        curl: Curl | None = None,
        retries: int = RETRIES,
    ) -> None:
        self._retries = retries
        session = session or ExactPathSession(pool=64)
        options = {
            "transport": RequestsTransport(session=session, connection_data_block_size=_BLOCK),
            "max_single_get_size": _ONE_GET,
            **PATIENCE,
            **BACKOFF,
            "retry_total": retries,
        }
        self._service = (
            BlobServiceClient.from_connection_string(connection_string, **options)
            if connection_string
            else BlobServiceClient(account_uri, credential=credential, **options)
        )
        self._url, _, signature = str(self._service.url).partition("?")
        self._curl = curl or Curl.like(session, self._url)
        self._authorization = self._authorized(signature, token)

    def images(self, container: str) -> ImageContainer:
        """A container of images, whether it is there or not."""
        url = f"{self._url.rstrip('/')}/{container}"
        version = str(self._service.api_version)
        wire = BlobWire(self._curl, url, version, self._authorization)
        return ImageContainer(self._service.get_container_client(container), wire, self._retries)

    def thumbnails(self, container: str) -> ThumbnailContainer:
        """A container of thumbnails, likewise."""
        return ThumbnailContainer(self._service.get_container_client(container))

    def backups(self, container: str) -> BackupContainer:
        """A container of backups, likewise."""
        return BackupContainer(self._service.get_container_client(container))

    def close(self) -> None:
        """Closes the connections."""
        self._service.close()
        self._curl.close()

    def _authorized(self, signature: str, token: Callable[[], str]) -> Authorization:
        if signature:
            return SharedAccess(signature)
        key = getattr(self._service.credential, "account_key", None)
        if key:
            version = str(self._service.api_version)
            return BlobKey(str(self._service.account_name), key, version)
        return Bearer(token)


class TableAccount:
    """The tables of an account, through one pool of connections. A connection string, or an address
    with a credential for the SDK and a source of tokens for the wire."""

    def __init__(
        self,
        *,
        connection_string: str | None = None,
        account_uri: str = "",
        credential: TokenCredential | None = None,
        token: Callable[[], str] = str,
        session: ExactPathSession | None = None,
        curl: Curl | None = None,
        retries: int = RETRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        session = session or ExactPathSession(pool=64)
        options = {
            "transport": RequestsTransport(session=session),
            **PATIENCE,
            "retry_total": retries,
        }
        self._service = (
            TableServiceClient.from_connection_string(connection_string, **options)
            if connection_string
            else TableServiceClient(account_uri, credential=credential, **options)
        )
        self._retries, self._sleep = retries, sleep
        self._url = self._service.url.partition("?")[0]
        self._curl = curl or Curl.like(session, self._url)
        self._authorization = self._authorized(token)

    def table(self, name: str) -> Table:
        """A table of the account, whether it is there or not."""
        rest = TableRest(
            self._curl,
            self._url,
            name,
            self._authorization,
            retries=self._retries,
            sleep=self._sleep,
        )
        return Table(self._service.get_table_client(name), rest)

    def create(self, name: str) -> None:
        """Makes a table where it is missing, in one attempt. In Azure the infrastructure does
        that."""
        self._service.create_table_if_not_exists(name, retry_total=0)

    def close(self) -> None:
        """Closes the connections."""
        self._service.close()
        self._curl.close()

    def _authorized(self, token: Callable[[], str]) -> Authorization:
        match self._service.credential:
            case AzureNamedKeyCredential() as shared:
                return TableKey(shared.named_key.name, shared.named_key.key)
            case AzureSasCredential() as access:
                return SharedAccess(access.signature)
            case _:
                return Bearer(token)
