"""The tables of an account, and how they are reached."""

from __future__ import annotations

from collections.abc import Callable

from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential, TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient

from captioning.storage.authorization import Authorization, Bearer, SharedAccess, TableKey
from captioning.storage.curl import Curl
from captioning.storage.sessions import PATIENCE, RETRIES, ExactPathSession
from captioning.storage.table_rest import TableWire
from captioning.storage.tables import Table


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
    ) -> None:
        session = session or ExactPathSession(pool=64)
        options = {
            "transport": RequestsTransport(session=session),
            **PATIENCE,
            "retry_total": retries - 1,  # the first attempt is the wire's
        }
        self._service = (
            TableServiceClient.from_connection_string(connection_string, **options)
            if connection_string
            else TableServiceClient(account_uri, credential=credential, **options)
        )
        self._url = self._service.url.partition("?")[0]
        self._curl = curl or Curl.like(session, self._url)
        self._authorization = self._authorized(token)

    def table(self, name: str) -> Table:
        """A table of the account, whether it is there or not."""
        wire = TableWire(self._curl, self._url, name, self._authorization)
        return Table(self._service.get_table_client(name), wire)

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
