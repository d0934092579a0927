"""`export`: writes records in each format, and prints a summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from captioning.app.services import Services
from captioning.cli import console
from captioning.domain.record import CaptionRecord
from captioning.export.html import WIDTH, write_gallery
from captioning.export.tabular import WRITERS, opened
from captioning.export.xmp import write_sidecars
from captioning.search.query import Query

Format = Literal["csv", "jsonl", "xmp", "html"]


def export(
    services: Services, form: Format, query: Query, output: Path | None, *, overwrite: bool
) -> bool:
    """Writes the matching records to a file, or to a folder of sidecars or a gallery; False where
    one could not be read or written."""
    found = _Readable(services.catalog.walk(query))
    if output is not None and form == "xmp":
        done = _sidecars(found, output, overwrite=overwrite)
    elif output is not None and form == "html":
        done = _gallery(services, found, output)
    else:
        with opened(output) as stream:
            WRITERS[form](iter(found), stream)
        done = True
    return done and not found.left_out


class _Readable:
    """Records, without those that this version cannot read: it names them on stderr."""

    def __init__(self, records: Iterable[CaptionRecord]) -> None:
        self._records = records
        self.left_out = 0

    def __iter__(self) -> Iterator[CaptionRecord]:
        for record in self._records:
            if record.status != "unreadable":
                yield record
                continue
            self.left_out += 1
            console.complain(f"{console.readable(record.path)}: left out, it cannot be read")


def _sidecars(records: Iterable[CaptionRecord], folder: Path, *, overwrite: bool) -> bool:
    counts = {"written": 0, "there": 0, "empty": 0, "failed": 0}
    for done in write_sidecars(records, folder, overwrite=overwrite):
        counts[done.outcome] += 1
        if done.problem:
            console.complain(f"{console.readable(done.path)}: {done.problem}")
    summary = "{written} written, {there} unchanged, {empty} without text, {failed} failed"
    console.say(summary.format(**counts))
    return not counts["failed"]


def _gallery(services: Services, records: Iterable[CaptionRecord], folder: Path) -> bool:
    def look(record: CaptionRecord) -> bytes | None:
        return services.thumbnails.of_version(record.path, record.image.etag, WIDTH)

    made = write_gallery(records, folder, look)
    console.say(f"{made.pictures} pictures, {made.left_out} left out")
    return True
