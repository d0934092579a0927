"""`export`: writes records in each format, and prints a summary."""

from __future__ import annotations

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
    one could not be written."""
    if output is not None and form == "xmp":
        return _sidecars(services, query, output, overwrite=overwrite)
    if output is not None and form == "html":
        return _gallery(services, query, output)
    with opened(output) as stream:
        WRITERS[form](services.catalog.walk(query), stream)
    return True


def _sidecars(services: Services, query: Query, folder: Path, *, overwrite: bool) -> bool:
    counts = {"written": 0, "there": 0, "empty": 0, "failed": 0}
    for done in write_sidecars(services.catalog.walk(query), folder, overwrite=overwrite):
        counts[done.outcome] += 1
        if done.problem:
            console.complain(f"{console.readable(done.path)}: {done.problem}")
    summary = "{written} written, {there} unchanged, {empty} without text, {failed} failed"
    console.say(summary.format(**counts))
    return not counts["failed"]


def _gallery(services: Services, query: Query, folder: Path) -> bool:
    def look(record: CaptionRecord) -> bytes | None:
        return services.thumbnails.of_version(record.path, record.image.etag, WIDTH)

    made = write_gallery(services.catalog.walk(query), folder, look)
    console.say(f"{made.pictures} pictures, {made.left_out} left out")
    return True
