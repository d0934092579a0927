"""How many requests a lookup makes in tables of 100, 10,000 and 100,000 records.

    python -m bench.speed.round_trips [RECORDS…]

Records are loaded straight into the table, with the postings of the words that are looked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

from captioning.domain.record import CaptionRecord, ImageInfo, Tag, record_id
from captioning.ports import Entity, Write
from captioning.records.catalog import Catalog
from captioning.records.layout import Layout, copy_key, postings_of, record_key
from captioning.records.table import COPY, RECORD, record_properties, save_properties
from captioning.search.dictionary import Dictionary
from captioning.search.places import place_of
from captioning.search.query import Query, parse
from captioning.storage.tables import Table
from testing.azurite import Azurite
from testing.harness.storage import Storage

SIZES = (100, 10_000, 100_000)
NEWEST = datetime(2026, 11, 22, tzinfo=UTC)
LIMIT = 20
WORDS = ("dog", "beach", "sunset", "unicorn", "dragon", "elf")
LOADED = ("term~tag~", *(f"term~word~{word}" for word in WORDS))


def record(number: int, count: int) -> CaptionRecord:
    """Record `number` of `count`. Half of them have the word dog, half beach, a quarter sunset; 20
    have unicorn and 20 dragon, 10 of them both; 20 others have elf."""
    words = ["thing"]
    words += ["dog"] if _pick(number, 2) else []
    words += ["beach"] if _pick(number * 7 + 1, 2) else []
    words += ["sunset"] if _pick(number * 13 + 5, 4) else []
    step = count // 20
    if number % step == 0:
        words += ["unicorn"]
        words += ["dragon"] if number % (2 * step) == 0 else []
    if number % step == 1:
        words += ["elf"] + (["dragon"] if number % (2 * step) == 1 else [])
    path = f"{number}"
    uploaded = NEWEST - timedelta(minutes=number)
    return CaptionRecord(
        path=path,
        id=record_id(path),
        status="captioned",
        image=ImageInfo(bytes=1, etag='"1"', modified=uploaded),
        created=uploaded,
        updated=uploaded,
        caption=" ".join(words),
        tags=(Tag("outdoor", 0.9), Tag("orange", 0.8)) if number < 3 else (),
    )


def _pick(number: int, one_in: int) -> bool:
    """Selects one number in `one_in`, evenly spread and the same every time."""
    return (number * 2_654_435_761 >> 7) % one_in == 0


def load(storage: Storage, count: int) -> None:
    """Puts so many records, with the postings of the words that are looked for, many at a time."""
    assert storage.catalog.get("nothing") is None  # the layout is there from now on
    layout = Layout(storage.table)
    words = Dictionary(storage.account.table(f"{storage.name}words"))
    partitions: dict[str, list[Entity]] = {key: [] for key in layout.partitions}
    for number in range(count):
        made = record(number, count)
        partition = layout.partition_of(made.id)
        rows = [row for row in postings_of(made) if row.startswith(LOADED)]
        partitions[partition] += _entities(made, partition, rows)
        if number < 3 or not {"unicorn", "dragon", "elf"}.isdisjoint((made.caption or "").split()):
            words.learn(made)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(_put, storage.table), _batches(partitions.values())))


def _entities(made: CaptionRecord, partition: str, rows: Sequence[str]) -> Iterator[Entity]:
    """A record as the catalogue stores it: the record, its copy and its postings."""
    said = record_properties(made, frozenset(rows))
    keys = {"PartitionKey": partition}
    own = {"kind": RECORD, **said, **save_properties(rows)}
    yield {**keys, "RowKey": record_key(made.id), **own}
    yield {**keys, "RowKey": copy_key(place_of(made)), "kind": COPY, **said}
    yield from ({**keys, "RowKey": row} for row in rows)


def _batches(partitions: Iterable[list[Entity]]) -> Iterator[tuple[Entity, ...]]:
    for entities in partitions:
        left = iter(entities)
        while batch := tuple(islice(left, 100)):
            yield batch


def _put(table: Table, entities: Iterable[Entity]) -> None:
    table.transact([Write("upsert", entity) for entity in entities])


def lookups(catalog: Catalog) -> dict[str, Callable[[], int]]:
    """The lookups by name; each returns how many records it found."""

    def search(text: str) -> Callable[[], int]:
        query = parse(f"{text} ", (), ("en",)) if text else Query()
        return lambda: len(catalog.search(query, LIMIT).records)

    texts = {
        "all, newest first": "",
        "one common word": "dog",
        "one rare word (20 images)": "unicorn",
        "common and common": "dog beach",
        "three common words": "dog beach sunset",
        "common and rare": "dog unicorn",
        "rare and rare (10 in common)": "unicorn dragon",
        "rare and rare (none in common)": "unicorn elf",
        "common without common": "dog -beach",
        "a word that there is not": "nothing",
    }
    return {
        "get": lambda: int(catalog.get("7") is not None),
        **{name: search(text) for name, text in texts.items()},
        "beginning of a rare word": lambda: len(
            catalog.search(parse("unic", (), ("en",)), LIMIT).records
        ),
        "tags that begin with `o`": lambda: len(catalog.tags("o", LIMIT)),
        "export of all": lambda: sum(1 for _ in catalog.walk()),
    }


def measured(count: int) -> dict[str, tuple[int, int]]:
    """For each lookup in a table of `count` records, its requests and how many records it found."""
    with Azurite() as emulator, ExitStack() as stack:
        storage = Storage(emulator.connection_string, "bench", stack)
        load(storage, count)
        catalog, sent = storage.recorded_catalog()
        assert catalog.get("nothing") is None  # reads the layout, once a process
        counts = {}
        for name, look in lookups(catalog).items():
            sent.clear()
            found = look()
            counts[name] = (len(sent), found)
    return counts


def main(sizes: Sequence[int]) -> None:
    """Prints the table."""
    table: dict[str, list[str]] = {}
    for count in sizes:
        for name, (requests, found) in measured(count).items():
            table.setdefault(name, []).append(f"{requests} ({found})")
    print("| lookup | " + " | ".join(f"{count:,}" for count in sizes) + " |")
    print("|---|" + "---|" * len(sizes))
    for name, cells in table.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or SIZES)
