"""Table Storage: what every image needs over HTTP (`table_rest.py`), the rest by the SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.data.tables import TableClient

from captioning.ports import Entity, Row, Write
from captioning.storage.errors import storage_answers
from captioning.storage.table_rest import TableRest

Token = Mapping[str, str] | None
"""Where the next page of a scan begins; None at the beginning and at the end."""


class Table:
    """One table. StorageUnavailable where it does not answer as it should."""

    def __init__(self, client: TableClient, rest: TableRest) -> None:
        self._client = client
        self._rest = rest

    def get(self, partition: str, row: str) -> Row | None:
        """The entity; None where there is none."""
        return self._rest.get(partition, row)

    def page(
        self, partition: str, start: str, end: str, size: int, select: Sequence[str] = ()
    ) -> list[Entity]:
        """The first `size` entities of a partition with a row key from `start` on and before
        `end`."""
        return self._rest.page(partition, start, end, size, select)

    def put(self, entity: Mapping[str, Any], etag: str | None) -> str:
        """Replaces the version with this ETag, or creates the entity where it is None; the new
        ETag. RecordChanged where another version is there."""
        return self._rest.put(entity, etag)

    def upsert(self, entity: Mapping[str, Any]) -> None:
        """Writes the entity, whatever is there."""
        self._rest.upsert(entity)

    def delete(self, partition: str, row: str, etag: str | None = None) -> None:
        """Deletes the entity; a missing one is no error. With an ETag: RecordChanged where another
        version is there."""
        self._rest.delete(partition, row, etag)

    def transact(self, writes: Sequence[Write]) -> str:
        """Makes all of the writes or none: see `captioning.ports.EntityTable`."""
        return self._rest.transact(writes)

    def between(self, first: str, last: str) -> Iterator[Entity]:
        """All entities of the partitions from one to another, read as they are taken."""
        entities = iter(
            self._client.query_entities(
                "PartitionKey ge @first and PartitionKey le @last",
                parameters={"first": first, "last": last},
            )
        )
        while (entity := _next(entities)) is not None:
            yield _plain(entity)

    @storage_answers
    def scan(self, size: int, token: Token) -> tuple[list[Entity], Token]:
        """Up to `size` entities of the whole table from a position on, and the next position; None
        at the end. A page may be short, even empty. A missing table has no entities."""
        # the token is a dictionary; the type hints of the SDK say text
        pages: Any = self._client.list_entities(results_per_page=size).by_page(
            dict(token) if token else None  # type: ignore[arg-type]
        )
        try:
            entities = [_plain(entity) for entity in next(pages, ())]
        except HttpResponseError as error:
            # Nothing but this answer: a table that does not answer may hold records.
            if _code(error) == "TableNotFound":
                return [], None
            raise
        return entities, pages.continuation_token or None

    @storage_answers
    def has_entities(self) -> bool:
        """Whether the table holds anything that the app may read: False for a missing table, and
        for one that the app has no role on. StorageUnavailable where neither is certain."""
        try:
            return any(True for _ in self._client.list_entities(results_per_page=1))
        except HttpResponseError as error:
            # A fresh deployment gives the app a role on each table that it makes, and on no other:
            # Azure then answers 403 for a table of an earlier version, whether it exists or not.
            is_forbidden = error.status_code == 403 and _code(error).startswith("Authorization")
            if is_forbidden or _code(error) == "TableNotFound":
                return False
            raise

    @storage_answers
    def drop(self) -> None:
        """Deletes the table with all that is in it."""
        self._client.delete_table()

    def is_there(self) -> bool:
        """Whether the table answers; asked once, for health."""
        try:
            self._client.get_entity("health", "health", retry_total=0)
        except ResourceNotFoundError as error:
            return _code(error) == "ResourceNotFound"
        except AzureError:
            return False
        return True


def _code(error: HttpResponseError) -> str:
    """The service's own code; empty where the answer may be that of a proxy."""
    is_services = "x-ms-request-id" in getattr(error.response, "headers", {})
    code = getattr(error, "error_code", None) if is_services else None
    return str(getattr(code, "value", code) or "")


def _plain(entity: Mapping[str, Any]) -> Entity:
    """The SDK gives whole numbers of 64 bits with their type."""
    return {name: getattr(value, "value", value) for name, value in entity.items()}


@storage_answers
def _next(entities: Iterator[Entity]) -> Entity | None:
    return next(entities, None)
