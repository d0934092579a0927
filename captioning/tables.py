"""Connecting to Table Storage."""

from __future__ import annotations

from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableClient, TableServiceClient

from captioning.exact_path import PATIENCE, ExactPathSession


class TableAccount:
    """The tables of an account, through one pool of connections."""

    def __init__(
        self,
        *,
        connection_string: str | None = None,
        account_uri: str = "",
        credential: TokenCredential | None = None,
    ) -> None:
        options = {
            "transport": RequestsTransport(session=ExactPathSession(pool=64)),
            **PATIENCE,
        }
        self._service = (
            TableServiceClient.from_connection_string(connection_string, **options)
            if connection_string
            else TableServiceClient(account_uri, credential=credential, **options)
        )

    def table(self, name: str) -> TableClient:
        """A table of the account, whether it is there or not."""
        return self._service.get_table_client(name)

    def create(self, name: str) -> None:
        """Makes a table where it is missing, in one attempt. In Azure the infrastructure does
        that."""
        self._service.create_table_if_not_exists(name, retry_total=0)

    def close(self) -> None:
        """Closes the pool."""
        self._service.close()
