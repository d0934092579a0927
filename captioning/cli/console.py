"""Output of the command line. Texts of pictures and names of blobs are never treated as markup."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata
from collections.abc import Generator, Iterable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from captioning.captioner.rules import ALT_TEXT
from captioning.domain.record import CaptionRecord, Provenance, RecordError, Support
from captioning.domain.usage import Usage

Item = TypeVar("Item")

# Control characters (C0, C1), line and paragraph separators, characters that change the direction
# of text, and halves of surrogate pairs.
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
UNSAFE_IN_JSON = re.compile(UNSAFE.pattern.replace(r"\x00-\x1f", ""))
"""Without C0, which JSON escapes itself: its own line breaks stay."""

out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
WIDE = Console(highlight=False, markup=False, emoji=False, width=1_000_000)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def make_output_tolerant() -> None:
    """Has stdout and stderr escape characters that they cannot encode, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def readable(text: str) -> str:
    """The text with control characters of the terminal escaped. Right-to-left text is isolated, so
    that it does not reorder the text beside it."""
    shown = UNSAFE.sub(_spelled, text)
    right_to_left = any(unicodedata.bidirectional(character) in {"R", "AL"} for character in text)
    return f"\N{FIRST STRONG ISOLATE}{shown}\N{POP DIRECTIONAL ISOLATE}" if right_to_left else shown


def json_text(document: object) -> str:
    """The document as JSON, in ASCII where the output is not Unicode, and safe for a terminal."""
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    return UNSAFE_IN_JSON.sub(_spelled, json.dumps(document, ensure_ascii=plain, indent=2))


def say(text: str = "") -> None:
    """Prints one line to stdout, without markup."""
    out.print(Text(text))


def complain(text: str) -> None:
    """Prints one line to stderr, without markup."""
    err.print(Text(text))


def progress(items: Iterator[Item], total: int, what: str) -> Generator[Item]:
    """Yields the items, with a progress bar where there is a terminal. Lines that are printed in
    between appear above the bar; a pipe gets only the lines."""
    terminal = out if sys.stdout.isatty() else err
    if not terminal.is_terminal:
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=terminal,
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            bar.advance(task)
            yield item


def print_table(records: Iterable[CaptionRecord]) -> None:
    """Path, caption or reason, tags, seconds. Cells are folded on a terminal; elsewhere each record
    is one line."""
    folded = out.is_terminal
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("path", overflow="fold", no_wrap=not folded)
    table.add_column("caption", overflow="fold", no_wrap=not folded)
    table.add_column("tags", overflow="fold", no_wrap=not folded, max_width=20 if folded else None)
    table.add_column("seconds", justify="right", no_wrap=True)
    for record in records:
        tags = ", ".join(tag.name for tag in record.tags)
        seconds = "" if record.seconds is None else f"{record.seconds:.2f}"
        cells = (record.path, outcome(record), tags, seconds)
        table.add_row(*(Text(readable(cell)) for cell in cells))
    (out if folded else WIDE).print(table, soft_wrap=False)


def print_grid(head: list[str], rows: list[list[str]]) -> None:
    """A table with these columns. Cells are folded on a terminal; elsewhere a row is one line."""
    folded = out.is_terminal
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in head:
        table.add_column(Text(readable(name)), overflow="fold", no_wrap=not folded)
    for row in rows:
        table.add_row(*(Text(readable(cell)) for cell in row))
    (out if folded else WIDE).print(table, soft_wrap=False)


def _spelled(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def outcome(record: CaptionRecord) -> str:
    """The caption, or the reason why there is none."""
    if record.status == "processing":
        return "is being processed"
    if record.error and record.status != "captioned":
        return f"{record.status} ({record.error.code}): {_reason(record, record.error)}"
    return record.caption or record.note or record.status


def record_lines(record: CaptionRecord) -> Iterator[str]:
    """The record for a person to read: one field a line, without empty ones."""
    image, error = record.image, record.error
    size = f"{image.format} {image.width} x {image.height}, " if image.format else ""
    tags = ", ".join(f"{tag.name} {tag.confidence:.2f}" for tag in record.tags)
    objects = ", ".join(found.name for found in record.objects)
    fields = {
        "path": record.path,
        "id": record.id,
        "status": _status(record),
        "review": "" if record.review == "none" else record.review,
        "caption": record.caption or "",
        "alt text": measured(record.alt_text) or ("(decorative)" if record.decorative else ""),
        "description": record.description or "",
        **{f"[{lang}]": text.caption for lang, text in record.translations.items()},
        **{f"[{lang}] alt": measured(text.alt_text) for lang, text in record.translations.items()},
        "tags": tags,
        "objects": objects,
        "text": " | ".join(line.text for line in record.text),
        "support": _support(record.support),
        "note": record.note or "",
        "before": record.previous.texts.get("caption") or "" if record.previous else "",
        "error": f"{error.code}: {_reason(record, error)}" if error else "",
        "image": f"{size}{image.bytes:,} bytes, uploaded {_time(image.modified)}",
        "made by": " + ".join(filter(None, (record.provenance.vision, record.provenance.model))),
        "reused from": _source(record.provenance),
        "cost": _cost(record.usage),
        "seconds": "" if record.seconds is None else f"{record.seconds:.2f}",
    }
    for name, value in fields.items():
        if value:
            yield f"{name:<12} {readable(value)}"


def measured(alt_text: str | None) -> str:
    """The text with its length and the limit; empty where there is no text."""
    return f"{alt_text} ({len(alt_text)} of {ALT_TEXT} characters)" if alt_text else ""


def _source(made: Provenance) -> str:
    near = " (a near-identical frame)" if made.burst else ""
    return f"{made.reused_from}{near}" if made.reused_from else ""


def _support(support: Support | None) -> str:
    """The score, and the words that the evidence does not support."""
    if support is None:
        return ""
    words = f", not supported: {', '.join(support.unsupported)}"
    return f"{support.score:.0%}{words if support.unsupported else ''}"


def _status(record: CaptionRecord) -> str:
    """The status; of an image that a run has claimed, also when the claim expires."""
    if record.status != "processing" or record.claim is None:
        return record.status
    return f"processing, claimed by a run until {_time(record.claim.until)} at most"


def _reason(record: CaptionRecord, error: RecordError) -> str:
    """The message; of a deferred image, also the time of the next attempt."""
    if record.status != "deferred" or error.retry_at is None:
        return error.message
    return f"{error.message} Next attempt at {_time(error.retry_at)}."


def _cost(paid: Usage) -> str:
    """Tokens, calls and US dollars; empty where nothing was charged."""
    counts = (paid.input_tokens, paid.output_tokens, paid.vision_calls)
    if not any(counts) and not paid.usd:
        return ""
    price = "price unknown" if paid.usd is None else f"${paid.usd:.6f}"
    return "{:,} tokens in, {:,} out, {:,} Vision calls: {}".format(*counts, price)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
