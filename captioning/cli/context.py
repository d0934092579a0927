"""Shared by the commands: the app with the local settings, errors as plain lines, arguments as
queries and files, and waiting for captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from captioning.cli import console
from captioning.domain.record import Status
from captioning.errors import (
    BadName,
    BadRequest,
    CaptioningError,
    ServiceUnavailable,
    SettingsError,
)
from captioning.search.query import Query, parse

if TYPE_CHECKING:
    from captioning.app.services import Services
    from captioning.cli.drop import Item
    from captioning.domain.record import CaptionRecord


def query_of(
    words: Iterable[str],
    tags: Iterable[str],
    status: Status | None,
    since: datetime | None,
    languages: tuple[str, ...],
) -> Query:
    """The query of these arguments; BadRequest where it has too many terms. An argument with spaces
    is a phrase. The last word is matched as a whole, not as the beginning of a word."""
    if any(not tag.strip() for tag in tags):
        raise BadRequest("bad_tag", "A tag must have a name.")
    phrases = (f'"{word}"' if " " in word and '"' not in word else word for word in words)
    query = parse("".join(f"{phrase} " for phrase in phrases), tags, languages)
    return replace(query, status=status, since=since and since.replace(tzinfo=UTC))


DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
"""Formats of times (UTC) in arguments."""


@contextmanager
def reported() -> Iterator[None]:
    """Prints bad settings, bad arguments and storage errors as lines on stderr, without a
    traceback, and exits with 2, or with 1 where storage failed."""
    from azure.core.exceptions import AzureError

    from captioning.storage.errors import explain

    try:
        yield
    except SettingsError as error:
        for name, problem in error.problems.items():
            console.complain(f"{name} {problem}")
        raise typer.Exit(2) from error
    except BadRequest as error:
        console.complain(error.message)
        raise typer.Exit(2) from error
    except OSError as error:
        if error.filename is None:  # not a file that the user named: a closed pipe, for example
            raise
        console.complain(f"{error.strerror}: {error.filename!r}")
        raise typer.Exit(2) from error
    except (AzureError, ServiceUnavailable) as error:
        cause = error.__cause__ if isinstance(error, ServiceUnavailable) else error
        text = explain(cause) if isinstance(cause, AzureError) else str(error).rstrip(".")
        console.complain(f"{text[0].upper()}{text[1:]}.")
        raise typer.Exit(1) from error
    except CaptioningError as error:
        console.complain(error.message)
        raise typer.Exit(1) from error


@contextmanager
def local_services() -> Iterator[Services]:
    """The app with the local settings."""
    from captioning.app.services import build_services
    from captioning.config.settings import Settings, local_environ

    with reported():
        services = build_services(Settings.from_environ(local_environ(Path.cwd())))
        try:
            yield services
        finally:
            services.close()


def images_in(paths: list[Path], prefix: str) -> list[Item]:
    """The files, and the images in folders, with the paths that their blobs will have."""
    from captioning.cli.drop import find_items
    from captioning.images.decoding import file_extensions

    try:
        return find_items(paths, prefix, file_extensions())
    except OSError as error:
        console.complain(f"{error.strerror}: {error.filename!r}")
        raise typer.Exit(2) from error
    except BadName as error:
        console.complain(error.message)
        raise typer.Exit(2) from error


def wait_for(services: Services, paths: list[str]) -> int:
    """Prints each caption once it is there; returns how many images got none."""
    from captioning.cli.drop import final_records

    def deferred(record: CaptionRecord) -> None:
        outcome = console.readable(console.outcome(record))
        console.say(f"{console.readable(record.path)}: {outcome} Still waiting.")

    records = final_records(services.images, services.catalog, paths, deferred)
    without = 0
    with closing(console.progress(records, len(paths), "captioning")) as ended:
        for path, record in ended:
            without += record is None or record.status != "captioned"
            outcome = console.outcome(record) if record else "was deleted in the meantime"
            console.say(f"{console.readable(path)}: {console.readable(outcome)}")
    return without
