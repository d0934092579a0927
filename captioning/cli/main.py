"""The command line: `python -m captioning`."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer

from captioning.cli import console
from captioning.cli.backup import backup, import_
from captioning.cli.context import DAYS, images_in, local_services, reported, wait_for
from captioning.cli.migrate import migrate
from captioning.cli.prices import prices
from captioning.cli.reconcile import reconcile
from captioning.cli.reprocess import reprocess, revert
from captioning.cli.trash import forget, restore
from captioning.cli.try_command import try_
from captioning.domain.record import Status

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Captions for every image in a storage container.",
)


@cli.callback()
def _prepare() -> None:
    console.make_output_tolerant()


@cli.command()
def up(
    *,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the app.")] = 7071,
    storage_port: Annotated[
        int,
        typer.Option(
            min=1, max=65_533, help="Azurite's blobs; queues and tables use the next two."
        ),
    ] = 10_000,
    host: Annotated[
        Literal["auto", "embedded", "func"], typer.Option(help="The Functions host.")
    ] = "auto",
    samples: Annotated[Path, typer.Option(help="Images to caption.")] = Path("samples"),
    data: Annotated[Path, typer.Option(help="Folder for Azurite's data and all logs.")] = Path(
        ".azurite"
    ),
    once: Annotated[bool, typer.Option("--once", help="Exit when they are captioned.")] = False,
) -> None:
    """Run storage and the app on this machine, and caption the samples."""
    from captioning.cli.up import up as run
    from captioning.config.settings import local_environ
    from captioning.embedded.stack.stack import Ports, Stack

    with reported():
        stack = Stack(Ports(port, storage_port), data, local_environ(Path.cwd()))
        items = images_in([samples], "samples/")
        status = run(stack, items, host=host, once=once)
    raise typer.Exit(status)


@cli.command()
def drop(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, and folders with images.")
    ],
    *,
    prefix: Annotated[str, typer.Option(help="Prefix of each path, such as 2026/.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the captions.")] = False,
) -> None:
    """Upload images, skipping those that are already stored."""
    from captioning.cli.drop import drop as send
    from captioning.domain.blobs import ignoring_pattern

    found = images_in(paths, prefix)
    with local_services() as services:
        items = []
        for item in found:
            if pattern := ignoring_pattern(item.path, services.ignored_files):
                path = console.readable(item.path)
                console.say(f"skipped {path}: files named {pattern} get no caption")
            else:
                items.append(item)
        counts = {"sent": 0, "there": 0, "failed": 0}
        there = []
        drops = send(services.images, items)
        with closing(console.progress(drops, len(items), "dropping")) as ended:
            for done in ended:
                counts[done.outcome] += 1
                if done.outcome != "failed":
                    there.append(done.item.path)
                suffix = f": {done.problem}" if done.problem else ""
                console.say(f"{done.outcome:<7} {console.readable(done.item.path)}{suffix}")
        console.say("{sent} sent, {there} already there, {failed} failed".format(**counts))
        without = wait_for(services, there) if wait else 0
    if counts["failed"] or without:
        raise typer.Exit(1)


@cli.command()
def show(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A blob's path, or sha256:ID.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, like the API.")] = False,
) -> None:
    """Show the record of one image."""
    from captioning.domain.blobs import item_id

    with local_services() as services:
        stored = services.catalog.get_by_id(item_id(path))
    if stored is None:
        console.complain(f"There is no record for {console.readable(path)}.")
        raise typer.Exit(1)
    if as_json:
        console.say(console.json_text(stored.record.to_json()))
    else:
        for line in console.record_lines(stored.record):
            console.say(line)


@cli.command()
def find(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help='Words; "a phrase"; -- -without.'),
    ] = None,
    *,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    status: Annotated[Status | None, typer.Option(help="Status of the record.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=DAYS, help="Uploaded since (UTC).")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Records at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One record a line, as JSON.")] = False,
) -> None:
    """Find images by their captions, tags and text, newest first."""
    from captioning.cli.context import query_of
    from captioning.export.tabular import write_jsonl

    with local_services() as services:
        query = query_of(words or [], tag or [], status, since, services.languages)
        found = islice(services.catalog.walk(query), limit)
        if as_json:
            write_jsonl(found, sys.stdout)
        elif records := list(found):
            console.print_table(records)
        else:
            console.complain("Nothing found.")


@cli.command()
def export(
    *,
    form: Annotated[
        Literal["csv", "jsonl", "xmp", "html"],
        typer.Option("--format", help="Records in a file, sidecars, or a gallery."),
    ],
    query: Annotated[
        list[str] | None, typer.Option(help='A word or "a phrase"; may be repeated.')
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=DAYS, help="Uploaded since (UTC).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File, default standard output; folder for xmp and html.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace sidecars of other programs.")
    ] = False,
) -> None:
    """Write all records, or those that match, newest first."""
    from captioning.cli.context import query_of
    from captioning.cli.export import export as write

    if output is None and form in {"xmp", "html"}:
        raise typer.BadParameter("must name a folder for xmp and html", param_hint="--output")
    with local_services() as services:
        asked = query_of(query or [], tag or [], None, since, services.languages)
        done = write(services, form, asked, output, overwrite=overwrite)
    if not done:
        raise typer.Exit(1)


cli.command()(backup)
cli.command("import")(import_)
cli.command()(reprocess)
cli.command()(migrate)
cli.command()(prices)
cli.command()(reconcile)
cli.command()(revert)
cli.command()(restore)
cli.command()(forget)


@cli.command()
def retag(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
) -> None:
    """Apply a changed tag vocabulary to captioned images, at no cost."""
    count = 0
    with local_services() as services:
        for record in services.retag.all(dry_run=dry_run):
            console.say(console.readable(record.path))
            count += 1
    images = "1 image" if count == 1 else f"{count:,} images"
    console.say(f"{images} {'would' if dry_run else 'will'} get new tags")


cli.command("try")(try_)


@cli.command()
def check() -> None:
    """Check the settings and call each service once (a fraction of a cent with Azure)."""
    from captioning.cli.check import findings
    from captioning.config.settings import local_environ

    bad = False
    with reported():
        for finding in findings(local_environ(Path.cwd())):
            line = f"{'BAD' if finding.problem else 'ok':<4} {finding.name:<30} {finding.value}"
            console.say(console.readable(f"{line}  {finding.problem}".rstrip()))
            bad = bad or bool(finding.problem)
    if bad:
        raise typer.Exit(1)
