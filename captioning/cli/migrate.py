"""`migrate`: the tables of an earlier version of the app become those of this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from captioning.cli import console
from captioning.cli.context import reported

DropOld = Annotated[
    bool, typer.Option("--drop-old", help="Delete the earlier tables when all is moved.")
]
LeaveUnreadable = Annotated[
    bool,
    typer.Option(
        "--leave-unreadable",
        help="Finish although this version cannot read some records: --drop-old loses them.",
    ),
]


def migrate(*, drop_old: DropOld = False, leave_unreadable: LeaveUnreadable = False) -> None:
    """Move the records of an earlier version's tables to this version's. Stop the app first."""
    from captioning.app.migration import migration
    from captioning.config.settings import Settings, local_environ

    with reported(), migration(Settings.from_environ(local_environ(Path.cwd()))) as tables:
        for report in tables.migration.run(leave_unreadable=leave_unreadable):
            console.say(f"{report.moved:,} moved, {report.present:,} there already")
        for identity in report.unreadable:
            console.complain(f"sha256:{identity} cannot be read by this version of the app.")
        if not report.is_done:
            console.complain(
                "The app refuses the tables until these records are fixed, or --leave-unreadable is"
                " given. The earlier tables are kept."
            )
            raise typer.Exit(1)
        if drop_old:
            tables.drop_older()
            console.say("The earlier tables are deleted.")
