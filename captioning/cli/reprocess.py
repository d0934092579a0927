"""The commands for existing captions: `reprocess` makes new ones, `revert` restores earlier."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from captioning.cli import console
from captioning.cli.context import DAYS, local_services
from captioning.maintenance.reprocess import model_date

if TYPE_CHECKING:
    from captioning.maintenance.reprocess import Asked, Round


def _day(value: str) -> date:
    """The day in a model's version, or a day itself."""
    if found := model_date(value):
        return found
    raise typer.BadParameter(
        f"{value!r} has no date: give a model's dated version, such as NAME-2024-07-18,"
        " or a day, such as 2024-07-18"
    )


Stale = Annotated[
    bool, typer.Option("--stale", help="Captions made with other settings than the present ones.")
]
WithStatus = Annotated[
    Literal["failed", "rejected", "deferred", "captioned"] | None,
    typer.Option(
        "--status",
        help="Status of the records. Without --stale, rejected and captioned ones are charged"
        " again.",
    ),
]
OlderThan = Annotated[
    date | None,
    typer.Option(parser=_day, metavar="NAME-OR-DAY", help="Made by a model with an earlier date."),
]
OnlyReview = Annotated[bool, typer.Option("--only-review", help="Captions marked for review.")]
Since = Annotated[datetime | None, typer.Option(formats=DAYS, help="Uploaded since (UTC).")]
Most = Annotated[int | None, typer.Option(min=1, help="Images at most.")]
Budget = Annotated[
    float | None, typer.Option(min=0, help="US dollars at most, by the estimates; with --stale.")
]
Retry = Annotated[
    bool, typer.Option("--retry", help="With --stale, include images where that has failed.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list them.")]


def reprocess(
    *,
    stale: Stale = False,
    status: WithStatus = None,
    older_than_model: OlderThan = None,
    only_review: OnlyReview = False,
    since: Since = None,
    limit: Most = None,
    budget: Budget = None,
    retry: Retry = False,
    dry_run: DryRun = False,
) -> None:
    """Queue many images to be captioned again by the app. With --stale, the command continues where
    it stopped last time."""
    from captioning.maintenance.reprocess import Limits, Selection

    if not (stale or status):
        raise typer.BadParameter("select images with --stale, --status, or both")
    if not stale and (budget is not None or retry):
        raise typer.BadParameter("--budget and --retry require --stale")
    since = since and since.replace(tzinfo=UTC)
    selection = Selection(status, stale, older_than_model, only_review, since, retry)
    with local_services() as services:
        found = services.reprocess(selection, Limits(limit, budget, dry_run))
        try:
            with closing(iter(found)) as images:
                for asked in images:
                    console.say(_line(asked, stale=stale))
        finally:
            for line in _summary(found, stale=stale, dry_run=dry_run):
                console.say(line)
    if found.report.stopped == "price":
        raise typer.Exit(1)


def revert(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A blob's path, or sha256:ID.")],
) -> None:
    """Restore the previous texts of an image, or else what people wrote about the bytes before; a
    second time undoes that."""
    from captioning.domain.blobs import item_id
    from captioning.errors import RecordChanged
    from captioning.records.history import obstacle, reverted

    with local_services() as services:
        stored = services.catalog.get_by_id(item_id(path))
        refusal = obstacle(stored.record) if stored else ("", "There is no record for this path.")
        if stored is None or refusal:
            console.complain(f"{console.readable(path)}: {refusal[1] if refusal else ''}")
            raise typer.Exit(1)
        record = reverted(stored.record, datetime.now(UTC))
        try:
            services.catalog.save(record, stored)
        except RecordChanged:
            console.complain("The record was changed in the meantime: check it and try again.")
            raise typer.Exit(1) from None
    for line in console.record_lines(record):
        console.say(line)


def _line(asked: Asked, *, stale: bool) -> str:
    record = asked.record
    code = record.error.code if record.error else ""
    line = f"{record.status:<9} {console.readable(record.path)}  {code}"
    if not stale:
        return line.rstrip()
    price = "price unknown" if asked.usd is None else f"${asked.usd:.6f}"
    made = console.readable(record.provenance.model or "-")
    return (
        f"{record.status:<9} {price:<13} {made}  {console.readable(record.path)}  {code}".rstrip()
    )


def _summary(found: Round, *, stale: bool, dry_run: bool) -> list[str]:
    """What the run did, and where the next one continues."""
    report = found.report
    images = "1 image" if report.asked == 1 else f"{report.asked:,} images"
    lines = [f"{images} {'would be ' if dry_run else ''}queued again"]
    if stale and report.asked:
        lines[0] += f", for about ${report.usd:.6f} ({found.basis})"
    if report.unpriced:
        lines.append(f"{report.unpriced:,} have no known price and are not in the sum.")
    if report.reverted:
        lines.append(f"{report.reverted:,} skipped: a person restored their text.")
    if report.failed:
        lines.append(f"{report.failed:,} skipped: they failed with these settings; see --retry.")
    if report.stopped:
        why = {
            "limit": "The limit was reached",
            "budget": "The budget was reached",
            "price": "The budget needs a price for the next image, and none is known",
        }[report.stopped]
        lines.append(f"{why}: stopped before {console.readable(report.before)}.")
    return lines
