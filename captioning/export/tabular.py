"""Records as CSV for spreadsheets and as JSON lines for programs; records are streamed."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from captioning.domain.record import CaptionRecord

_BEFORE_A_FORMULA = re.compile(r"""(?<![\s"';])[\s"';]*+(?=[=+\-@＝＋－＠])""")
_BREAK = re.compile(r"[;\t\r\n]")
"""Begins a new cell in a program that separates cells by semicolons or tabs, as Excel does in much
of Europe."""
_ODD_BEGINNING = re.compile(r"'*[\t\r\n\0]")
COLUMNS: dict[str, Callable[[CaptionRecord], object]] = {
    "path": lambda record: record.path,
    "status": lambda record: record.status,
    "review": lambda record: record.review,
    "language": lambda record: record.language,
    "caption": lambda record: record.caption,
    "alt_text": lambda record: record.alt_text,
    "decorative": lambda record: "yes" if record.decorative else "",
    "description": lambda record: record.description,
    "tags": lambda record: "; ".join(tag.name for tag in record.tags),
    "text": lambda record: "\n".join(line.text for line in record.text),
    "format": lambda record: record.image.format,
    "width": lambda record: record.image.width,
    "height": lambda record: record.image.height,
    "color": lambda record: record.image.color,
    "bytes": lambda record: record.image.bytes,
    "uploaded": lambda record: record.image.modified.isoformat(),
    "model": lambda record: record.provenance.model,
    "usd": lambda record: record.usage.usd,
    "error": lambda record: record.error.code if record.error else None,
    "id": lambda record: record.id,
}


@contextmanager
def opened(file: Path | None) -> Iterator[IO[str]]:
    """The file, created or emptied, in UTF-8; standard output where it is None."""
    if file is None:
        yield sys.stdout
    else:
        with file.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            yield stream


def write_jsonl(records: Iterable[CaptionRecord], stream: IO[str]) -> None:
    """Writes one record a line, as the API returns it, in ASCII."""
    for record in records:
        stream.write(json.dumps(record.to_json()) + "\n")


def write_csv(records: Iterable[CaptionRecord], stream: IO[str]) -> None:
    """Writes a header and one row a record (RFC 4180). Text that a spreadsheet would evaluate as a
    formula gets an apostrophe, which `unquoted` removes."""
    rows = csv.writer(stream)
    rows.writerow(COLUMNS)
    for record in records:
        rows.writerow(_cell(value(record)) for value in COLUMNS.values())


WRITERS: dict[str, Callable[[Iterable[CaptionRecord], IO[str]], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
}


def unquoted(cell: str) -> str:
    """The original text of a cell."""
    text = cell[1:] if cell.startswith("'") and _ODD_BEGINNING.match(cell) else cell
    return _BEFORE_A_FORMULA.sub(
        lambda found: found[0].removesuffix("'") if _begins_a_cell(found) else found[0], text
    )


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = _BEFORE_A_FORMULA.sub(
        lambda found: f"{found[0]}'" if _begins_a_cell(found) else found[0], value
    )
    return f"'{text}" if _ODD_BEGINNING.match(text) else text


def _begins_a_cell(found: re.Match[str]) -> bool:
    return found.start() == 0 or _BREAK.search(found[0]) is not None
