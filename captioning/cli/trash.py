"""The commands for what was removed: `restore` puts texts back, `forget` removes, even for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from captioning.cli import console
from captioning.cli.context import local_services
from captioning.domain.blobs import BY_ID
from captioning.errors import BlobInUse, BlobRefused, RecordUnreadable

if TYPE_CHECKING:
    from captioning.app.services import Services

_SAID = {
    "restored": "restored",
    "pending": "the image is not captioned yet: the text returns if it is the same picture",
    "in_history": "another picture is there now: the text is in its history; --force applies it",
    "no_image": "there is no image at this path: upload it, then restore the text",
    "unreadable": "this version of the app cannot read the removed record: upgrade it",
    "nothing": "there is nothing to restore",
}
Paths = Annotated[
    list[str] | None, typer.Argument(metavar="[PATH]...", help="Blobs' paths, or sha256:ID.")
]
ToForget = Annotated[list[str], typer.Argument(metavar="PATH...", help="Blobs' paths.")]
All = Annotated[bool, typer.Option("--all", help="Everything in the trash whose image is there.")]
Force = Annotated[
    bool, typer.Option("--force", help="Also where another picture is at the path now.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Erase = Annotated[
    bool, typer.Option("--erase", help="Delete the image and every trace of it, for good.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before erasing.")]


def restore(
    paths: Paths = None, *, everything: All = False, force: Force = False, dry_run: DryRun = False
) -> None:
    """Put back what people wrote about removed or overwritten images; without PATH, list what was
    removed in the last 30 days."""
    with local_services() as services:
        if not paths and not everything:
            _list(services)
            return
        failed = False
        for path in paths or dict.fromkeys(entry.path for entry in services.trash.all()):
            outcome = services.undelete.restore(path, force=force, dry_run=dry_run)
            is_done = outcome in {"restored", "pending", "in_history"}
            failed = failed or not (is_done or everything)
            say = console.say if is_done else console.complain
            said = f"would be {outcome}" if dry_run and outcome == "restored" else _SAID[outcome]
            say(f"{console.readable(path)}: {said}")
    if failed:
        raise typer.Exit(1)


def forget(paths: ToForget, *, erase: Erase = False, yes: Yes = False) -> None:
    """Remove the records of deleted images. With --erase, delete the images too, and every trace of
    them that the app keeps."""
    if erase and not yes:
        images = "1 image" if len(paths) == 1 else f"{len(paths):,} images"
        typer.confirm(f"Erase {images} for good?", abort=True)
    for path in paths:
        if path.startswith(BY_ID):
            raise typer.BadParameter("forget needs paths: only DELETE of the API takes ids")
    failed = False
    with local_services() as services:
        for path in paths:
            try:
                is_done = _erased(services, path) if erase else _forgotten(services, path)
            except (BlobInUse, BlobRefused, RecordUnreadable) as error:
                console.complain(f"{console.readable(path)}: {error.message}")
                is_done = False
            failed = failed or not is_done
    if erase:
        console.say("What stays elsewhere, and for how long: docs/operate.md, “Deleted images”.")
    if failed:
        raise typer.Exit(1)


def _list(services: Services) -> None:
    is_empty = True
    for entry in services.trash.all():
        removed, until = (f"{day:%Y-%m-%d}" for day in (entry.removed, entry.until))
        console.say(f"removed {removed}, kept until {until}  {console.readable(entry.path)}")
        is_empty = False
    if is_empty:
        console.complain("The trash is empty.")


def _forgotten(services: Services, path: str) -> bool:
    shown = console.readable(path)
    if services.cleanup.forget(path):
        console.say(f"{shown}: removed; what people wrote can be restored for 30 days")
        return True
    console.complain(f"{shown}: has no record, or the image is still there; see --erase")
    return False


def _erased(services: Services, path: str) -> bool:
    shown = console.readable(path)
    was_there = services.erasure.erase(path)
    # Records of earlier versions are in no index of what they were reused from.
    for copy in services.erasure.copies(path):
        services.erasure.forget_copy(copy, path)
    console.say(f"{shown}: {'erased' if was_there else 'there is no image; its traces are erased'}")
    return True
