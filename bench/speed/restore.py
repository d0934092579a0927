"""Backing up and restoring 10,000 records, killed half-way: how long, how large, and that every
record is the same afterwards.

python -m bench.speed.restore [COUNT]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from captioning.backup.backup import Backup
from captioning.backup.rows import RecordTable
from captioning.domain.record import CaptionRecord
from captioning.records.layout import Layout
from captioning.search.query import parse
from testing.azurite import Azurite
from testing.factories.archive import archive
from testing.harness.command_line import MODULE, settings_of
from testing.harness.storage import Storage
from testing.paths import ROOT

COUNT, AT_ONCE = 10_000, 16
SAMPLES = 200


def main(count: int) -> None:
    """Prints the figures; AssertionError where anything is not as it was."""
    records = list(archive(count))
    with Azurite() as azurite, ExitStack() as stack:
        one, two = (Storage(azurite.connection_string, name, stack) for name in ("one", "two"))
        assert one.images
        assert two.images
        assert two.state
        with ThreadPoolExecutor(AT_ONCE) as pool, timed("saved"):
            list(pool.map(lambda record: one.catalog.save(record, None), records))
        before = everything(one)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        back_up(one, folder)
        killed(two, folder, count // 2)
        there = len(everything(two))
        assert 0 < there < count
        print(f"killed: {there:,} records are there")
        with timed("the rest is imported"):
            print(imported(two, folder))
        assert everything(two) == before
        for number in range(0, count, max(1, count // SAMPLES)):
            words = parse(f"unique{number} ", [], ("en",))
            assert [found.path for found in two.catalog.walk(words)] == [records[number].path]
        with timed("imported again"):
            print(imported(two, folder))
        assert everything(two) == before
    print(f"{len(before):,} records are exactly as they were")


def everything(storage: Storage) -> dict[str, dict[str, Any]]:
    """All records as JSON, by path."""
    found: list[CaptionRecord] = list(storage.catalog.walk())
    return {record.path: record.to_json() for record in found}


def back_up(storage: Storage, folder: Path) -> None:
    """A backup, and its files in a folder."""
    backup = Backup(
        table=RecordTable(storage.table, Layout(storage.table)),
        store=storage.backups,
        state=storage.state,
        days=30,
        now=lambda: datetime.now(UTC),
    )
    with timed("backed up"):
        report = backup.make()
    size = 0
    for file in storage.backups.files(report.name):
        data = storage.backups.read(report.name, file.name) or b""
        (folder / file.name).write_bytes(data)
        size += len(data)
    print(f"{report.records:,} records in {report.parts} parts, {size:,} bytes")


def killed(storage: Storage, folder: Path, after: int) -> None:
    """An import that is killed when so many records are there."""
    command = [*MODULE, "import", str(folder)]
    environ = {**os.environ, **settings_of(storage)}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL) as process:
        while len(everything(storage)) < after and process.poll() is None:
            time.sleep(10)
        process.kill()


def imported(storage: Storage, folder: Path) -> str:
    """The summary of an import."""
    environ = {**os.environ, **settings_of(storage)}
    done = subprocess.run(
        [*MODULE, "import", str(folder)], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


class timed:  # noqa: N801 - reads as a verb
    """Prints how long a block took."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        print(f"{self._what} in {time.perf_counter() - self._began:.0f} s", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
