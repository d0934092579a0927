"""`reconcile`: a round through all records, although many images are missing."""

from __future__ import annotations

from typing import Annotated

import typer

from captioning.cli import console
from captioning.cli.context import local_services

Confirm = Annotated[
    bool, typer.Option("--confirm", help="Yes, the missing images were deleted on purpose.")
]


def reconcile(*, confirm: Confirm = False) -> None:
    """Mark the records of all missing images for removal, however many these are."""
    if not confirm:
        raise typer.BadParameter(
            "the app does this by itself; --confirm accepts that many images are missing"
        )
    with local_services() as services:
        report = services.reconciler.confirm()
        hours = services.forget_after_hours
    console.say(
        f"{report.records:,} records examined, {report.marked:,} marked, {report.removed:,} removed"
    )
    console.say(f"Marked records are removed {hours} hours later, unless their images are back.")
    if report.unreadable:
        console.complain(f"{report.unreadable:,} records cannot be read.")
    if report.is_broken_off:
        console.complain("Storage did not answer: run the command again.")
        raise typer.Exit(1)
