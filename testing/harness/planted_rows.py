"""Rows as another program, or a newer version of the app, would have left them in a table."""

from __future__ import annotations

from typing import Any

from azure.data.tables import TableClient, UpdateMode

from captioning.domain.record import CaptionRecord
from captioning.records.layout import Layout, copy_key, record_key
from captioning.search.places import place_of
from testing.harness.storage import Storage


def plant(storage: Storage, table: str, partition: str, row: str, **columns: Any) -> None:
    """Writes columns into a row, or makes it, by the SDK; `table` as in `captionsusage`."""
    entity = {"PartitionKey": partition, "RowKey": row, **columns}
    name = f"{storage.name}{table}"
    with TableClient.from_connection_string(storage.connection, name) as client:
        client.upsert_entity(entity, mode=UpdateMode.MERGE)


def columns_of(storage: Storage, table: str, partition: str, row: str) -> dict[str, Any]:
    """The columns of a row, as the SDK reads them."""
    name = f"{storage.name}{table}"
    with TableClient.from_connection_string(storage.connection, name) as client:
        return dict(client.get_entity(partition, row))


def rows_of(storage: Storage, record: CaptionRecord) -> tuple[str, list[str]]:
    """The partition of a record, and the keys of its row and of its copy."""
    partition = Layout(storage.table).partition_of(record.id)
    return partition, [record_key(record.id), copy_key(place_of(record))]


def plant_in(
    storage: Storage, record: CaptionRecord, *, without: tuple[str, ...] = (), **columns: Any
) -> None:
    """Writes columns into the row of a saved record and into its copy, and removes others."""
    partition, keys = rows_of(storage, record)
    name = f"{storage.name}catalog"
    with TableClient.from_connection_string(storage.connection, name) as client:
        for key in keys:
            entity = {**client.get_entity(partition, key), **columns}
            kept = {name: value for name, value in entity.items() if name not in without}
            client.upsert_entity(kept, mode=UpdateMode.REPLACE)
