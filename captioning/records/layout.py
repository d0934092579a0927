"""The layout of the catalogue's table: partitions, row keys, and the version of both.

    layout      layout                  version and number of partitions, made with the table;
                                        the container of images that the records are about
    0 … 3       record~<id>             the record
                all~<place>             a copy of it, in the order of uploads
                term~<term>~<place>     a posting: the record at this place has the term
                stub~<id>               rows of a record that is being created or removed in parts

A record and its rows are in one partition, by the record's id, so that one transaction saves them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property

from captioning.domain.blobs import ContainerIdentity
from captioning.domain.record import CaptionRecord
from captioning.errors import LayoutRefused, RecordChanged
from captioning.ports import Entity, EntityTable, Write
from captioning.search.places import LENGTH, place_of
from captioning.search.terms import Wording

VERSION = 2
"""1 were the tables `captions` and `captionsindex`, partitioned by term."""
PARTITIONS = 4
"""Of a new table. One takes some 2,000 entities a second (azure.microsoft.com, scale targets of
Table Storage): four carry some 180 images a second."""
LAYOUT = "layout"
CONTAINER = ("images_account", "images_container", "images_id")
"""Properties of the layout row."""
COMMAND = "python -m captioning migrate"


def record_key(identity: str) -> str:
    """The row key of a record."""
    return f"record~{identity}"


def copy_key(place: str) -> str:
    """The row key of the copy in the order of uploads."""
    return f"all~{place}"


def stub_key(identity: str) -> str:
    """The row key of the mark beside a stub."""
    return f"stub~{identity}"


def posting_key(term: str, place: str) -> str:
    """The row key of a posting. No term holds a `~` behind its kind."""
    return f"term~{term}~{place}"


def posting_of(key: str) -> tuple[str, str]:
    """Term and place of a posting."""
    return key[len("term~") : -LENGTH - 1], key[-LENGTH:]


def postings_of(record: CaptionRecord) -> frozenset[str]:
    """The keys of all postings that a record has."""
    place = place_of(record)
    return frozenset(posting_key(term, place) for term in Wording(record).terms)


class Layout:
    """The partitions of a table, by its layout row; read at the first use.

    `has_older` says whether there are records of the first layout: then a table without a layout
    row is refused until they are migrated. LayoutRefused, too, where another version is there.
    """

    def __init__(self, table: EntityTable, has_older: Callable[[], bool] = lambda: False) -> None:
        self._table = table
        self._has_older = has_older
        self._reading = threading.Lock()

    @property
    def partitions(self) -> tuple[str, ...]:
        """The keys of the partitions."""
        with self._reading:
            return self._partitions

    def partition_of(self, identity: str) -> str:
        """The partition of a record: by its id, which is a hash, so that all fill up alike."""
        partitions = self.partitions
        return partitions[int(identity[:8], 16) % len(partitions)]

    def is_there(self) -> bool:
        """Whether the table answers now with a layout row; StorageUnavailable where it does not."""
        return bool(self.partitions) and self._table.get(LAYOUT, LAYOUT) is not None

    def container(self) -> ContainerIdentity | None:
        """The container that the records are about; None until `bind` has said so."""
        row = self._table.get(LAYOUT, LAYOUT) if self.partitions else None
        if row is None or not all(name in row.entity for name in CONTAINER):
            return None
        return ContainerIdentity(*(str(row.entity[name]) for name in CONTAINER))

    def bind(self, container: ContainerIdentity) -> None:
        """Writes which container the records are about. RecordChanged where another process wrote
        the row meanwhile."""
        row = self._table.get(LAYOUT, LAYOUT) if self.partitions else None
        if row is not None:
            values = (container.account, container.container, container.made)
            entity = {**row.entity, **dict(zip(CONTAINER, values, strict=True))}
            self._table.transact([Write("replace", entity, row.etag)])

    @cached_property
    def _partitions(self) -> tuple[str, ...]:
        row = self._table.get(LAYOUT, LAYOUT)
        if row is None:
            if self._has_older():
                raise LayoutRefused(
                    "The tables are those of an earlier version of the app: stop it, and run"
                    f" `{COMMAND}`."
                )
            create(self._table)
            row = self._table.get(LAYOUT, LAYOUT)
        found = row.entity if row else {}
        if found.get("version") != VERSION:
            raise LayoutRefused(
                f"The tables have layout {found.get('version')}, and this version of the app reads"
                f" {VERSION}: run the version that made them, or `{COMMAND}` of a newer one."
            )
        count = found.get("partitions")
        if type(count) is not int or count < 1:
            raise LayoutRefused(
                "The layout row of the table of records is broken: set its `partitions` to the"
                " number of partitions that hold records."
            )
        return tuple(f"{number}" for number in range(count))


def create(table: EntityTable, partitions: int = PARTITIONS, *, migrated: bool = False) -> None:
    """Writes the layout row, unless there is one. `migrated`: the records of the first layout are
    in the table."""
    row: Entity = {
        "PartitionKey": LAYOUT,
        "RowKey": LAYOUT,
        "kind": LAYOUT,
        "version": VERSION,
        "partitions": partitions,
        "migrated": migrated,
    }
    try:
        table.transact([Write("insert", row)])
    except RecordChanged:
        return  # another process was first
