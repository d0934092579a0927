"""Table Storage.

What is asked all the time goes over the wire first (`table_wire.py`), at a tenth of the SDK's time;
what does not come to a clear end there is asked of the SDK, with its patience and its errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar, cast

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, UpdateMode

from captioning.errors import RecordChanged
from captioning.storage.curl import Unclear
from captioning.storage.entities import Entity, Row
from captioning.storage.errors import storage_answers
from captioning.storage.table_rest import TableWire

Item = TypeVar("Item")


class Table:
    """One table. StorageUnavailable where it does not answer as it should."""

    def __init__(self, client: TableClient, wire: TableWire) -> None:
        self._client = client
        self._wire = wire

    @storage_answers
    def get(self, partition: str, row: str) -> Row | None:
        """The entity, or None."""
        with suppress(Unclear):
            return self._wire.get(partition, row)
        try:
            entity = self._client.get_entity(partition, row)
        except ResourceNotFoundError as error:
            if "TableNotFound" in str(error):
                raise
            return None
        known = entity.metadata
        return Row(dict(entity), str(known["etag"]), cast(datetime, known["timestamp"]))

    def get_all(self, keys: Sequence[tuple[str, str]]) -> list[Row | None]:
        """Entities side by side, in the order of their keys."""
        try:
            found = self._wire.get_all(keys)
        except Unclear as error:
            found = [error] * len(keys)
        return [
            self.get(*key) if isinstance(row, Unclear) else row
            for key, row in zip(keys, found, strict=True)
        ]

    @storage_answers
    def put(self, entity: Mapping[str, Any], etag: str | None) -> str:
        """Replaces the version with this ETag, or creates the entity where it is None.

        Returns the new ETag; RecordChanged when another version is there.
        """
        with suppress(Unclear):
            return self._wire.put(entity, etag)
        with _version(missing_is_changed=etag is not None):
            if etag is None:
                written = self._client.create_entity(entity)
            else:
                written = self._client.update_entity(
                    entity,
                    mode=UpdateMode.REPLACE,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                )
        return str(written["etag"])

    @storage_answers
    def upsert(self, entity: Mapping[str, Any]) -> None:
        """Writes the entity, whatever is there."""
        try:
            self._wire.upsert(entity)
        except Unclear:
            self._client.upsert_entity(entity, mode=UpdateMode.REPLACE)

    @storage_answers
    def delete(self, partition: str, row: str, etag: str | None = None) -> None:
        """Deletes the entity; a missing one is no error. With an ETag: RecordChanged when another
        version is there."""
        condition = MatchConditions.IfNotModified if etag else None
        try:
            self._wire.delete(partition, row, etag)
        except Unclear:
            with _version():
                self._client.delete_entity(partition, row, etag=etag, match_condition=condition)

    def upsert_all(self, entities: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Writes entities in any order, in one attempt each; those that are left to `upsert`."""
        with suppress(Unclear):
            return _left(entities, self._wire.upsert_all(entities))
        return list(entities)

    def delete_all(self, keys: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Deletes entities in any order, in one attempt each; those that are left to `delete`."""
        with suppress(Unclear):
            return _left(keys, self._wire.delete_all(keys))
        return list(keys)

    def query(
        self, condition: str, parameters: dict[str, Any], select: list[str] | None = None
    ) -> Iterator[Entity]:
        """Entities in the order of their keys, read as they are taken."""
        entities = iter(
            self._client.query_entities(condition, parameters=parameters, select=select)
        )
        while (entity := _next(entities)) is not None:
            yield entity

    @storage_answers
    def first(
        self, partition: str, start: str, end: str, size: int, select: list[str]
    ) -> list[Entity]:
        """The first `size` entities of a partition with a key from `start` on and before `end`."""
        with suppress(Unclear):
            return self._wire.first(partition, start, end, size, select)
        found = self._client.query_entities(
            "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end",
            parameters={"partition": partition, "start": start, "end": end},
            select=select,
            results_per_page=size,
        )
        return list(islice(found, size))

    @storage_answers
    def page(
        self, select: list[str], size: int, token: Mapping[str, str] | None
    ) -> tuple[list[Entity], Mapping[str, str] | None]:
        """Up to `size` entities of the whole table from a position on, and the next position; None
        at the end. A page may be short, even empty."""
        found = self._client.list_entities(select=select, results_per_page=size)
        # the token is a dictionary; the type hints of the SDK say text
        pages: Any = found.by_page(dict(token) if token else None)  # type: ignore[arg-type]
        entities = [dict(entity) for entity in next(pages, ())]
        return entities, pages.continuation_token or None

    def is_there(self) -> bool:
        """Whether the table answers; asked once, for health."""
        try:
            self._client.get_entity("health", "health", retry_total=0)
        except ResourceNotFoundError as error:
            return "TableNotFound" not in str(error)
        except AzureError:
            return False
        return True


def _left(items: Sequence[Item], done: list[bool]) -> list[Item]:
    return [item for item, is_done in zip(items, done, strict=True) if not is_done]


@contextmanager
def _version(*, missing_is_changed: bool = False) -> Iterator[None]:
    try:
        yield
    except (ResourceExistsError, ResourceModifiedError) as error:
        raise RecordChanged("It was saved by somebody else meanwhile.") from error
    except ResourceNotFoundError as error:
        if not missing_is_changed or "TableNotFound" in str(error):
            raise
        raise RecordChanged("It was removed meanwhile.") from error


@storage_answers
def _next(entities: Iterator[Entity]) -> Entity | None:
    return next(entities, None)
