"""What `migrate` works with, put together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from captioning.app.credentials import identity_of
from captioning.app.storage import OLDER_TABLES, StorageAccount
from captioning.config.settings import Settings
from captioning.records.migration import Migration
from captioning.search.dictionary import Dictionary


@dataclass(frozen=True, slots=True)
class Tables:
    """The move, and the account that it is made in."""

    migration: Migration
    storage: StorageAccount

    def drop_older(self) -> None:
        """Deletes the tables of the first layout."""
        for kind in OLDER_TABLES:
            self.storage.table(kind).drop()


@contextmanager
def migration(settings: Settings) -> Iterator[Tables]:
    """The move in the account of the settings; its tables are made where they are missing."""
    storage = StorageAccount(settings, identity_of(settings))
    with closing(storage):
        if settings.storage.connection_string:
            storage.create()
        older, table = storage.table(OLDER_TABLES[0]), storage.table("catalog")
        move = Migration(older, table, Dictionary(storage.table("words")))
        with closing(move):
            yield Tables(move, storage)
