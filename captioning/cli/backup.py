"""`backup` copies all records now; `import` puts records back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from captioning.backup.restore import Policy
from captioning.cli import console
from captioning.cli.context import local_services

if TYPE_CHECKING:
    from captioning.app.services import Services
    from captioning.backup.files import Line, Problem
    from captioning.backup.restore import RestoreReport

LATEST = "latest"
OnlyList = Annotated[bool, typer.Option("--list", help="Only list the backups that there are.")]
Files = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE]...", help="Files of JSON lines, and folders of them."),
]
FromBackup = Annotated[
    str | None,
    typer.Option("--backup", metavar="NAME", help="A backup where it is kept, or `latest`."),
]
ByPolicy = Annotated[
    Policy, typer.Option(help="Which record stays where there are two with one id.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count.")]


def backup(*, only_list: OnlyList = False) -> None:
    """Copy all records to the container of backups now, beside the nightly copies."""
    from captioning.backup.files import kept

    with local_services() as services:
        if only_list:
            for name, records in kept(services.backups):
                state = "not complete" if records is None else f"{records:,} records"
                console.say(f"{name}  {state}")
            return
        report = services.backup.make()
    if report.is_broken_off:
        console.complain("Another backup is being made: run the command again.")
        raise typer.Exit(1)
    if not report.records:
        console.complain("There are no records, so there is no backup of them.")
        raise typer.Exit(1)
    console.say(f"{report.name}: {report.records:,} records, {report.unreadable:,} unreadable")


def import_(
    files: Files = None,
    *,
    name: FromBackup = None,
    policy: ByPolicy = "keep-newer",
    dry_run: DryRun = False,
) -> None:
    """Put records back from a backup or an export of JSON lines. Repeat it after a stop."""
    if bool(files) == bool(name):
        raise typer.BadParameter("name files, or a backup with --backup")
    report = None
    with local_services() as services:
        lines = _lines(services, files, name)
        restore = services.importer(policy, dry_run=dry_run)
        for report in restore.run(lines, _complain):
            console.say(f"{report.lines:,} lines")
        hours = services.forget_after_hours
    if report:
        _sum_up(report, hours, dry_run=dry_run)
        if report.problems:
            raise typer.Exit(1)


def _lines(
    services: Services, files: list[Path] | None, name: str | None
) -> Iterator[Line | Problem]:
    from captioning.backup.files import in_paths, in_store, kept

    if not name:
        return in_paths(files or [])
    found = dict(kept(services.backups))
    if name == LATEST:
        name = max((each for each, records in found.items() if records is not None), default=name)
    if name not in found:
        raise typer.BadParameter(
            "there is no such backup; `backup --list` lists them", param_hint="--backup"
        )
    return in_store(services.backups, name)


def _complain(problem: Problem) -> None:
    console.complain(console.readable(str(problem)))


def _sum_up(report: RestoreReport, hours: int, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    console.say(
        f"{report.added:,} {would}added, {report.replaced:,} {would}replaced, {report.equal:,} the"
        f" same, {report.kept:,} kept"
    )
    if report.raw:
        console.say(f"{report.raw:,} rows {would}put back that this version cannot read")
    if report.missing:
        console.complain(
            f"The images of {report.missing:,} of these records are missing: `reconcile` removes"
            f" such records {hours} hours after it notices, unless the images are back."
        )
    if report.problems:
        console.complain(f"{report.problems:,} problems: see above")
