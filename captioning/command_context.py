"""What commands run in: the app's services by the local settings, and errors as plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from captioning import console
from captioning.errors import ServiceUnavailable, SettingsError

if TYPE_CHECKING:
    from captioning.services import Services


@contextmanager
def reported() -> Iterator[None]:
    """Bad settings and storage that does not serve are a line on stderr each, and no traceback."""
    from azure.core.exceptions import AzureError

    from captioning.storage_trouble import explain

    try:
        yield
    except SettingsError as error:
        for name, problem in error.problems.items():
            console.complain(f"{name} {problem}")
        raise typer.Exit(2) from error
    except (AzureError, ServiceUnavailable) as error:
        cause = error.__cause__ if isinstance(error, ServiceUnavailable) else error
        text = explain(cause) if isinstance(cause, AzureError) else str(error).rstrip(".")
        console.complain(f"{text[0].upper()}{text[1:]}.")
        raise typer.Exit(1) from error


@contextmanager
def local_services() -> Iterator[Services]:
    """The app's services by the local settings."""
    from captioning.services import build_services
    from captioning.settings import Settings, local_environ

    with reported():
        services = build_services(Settings.from_environ(local_environ(Path.cwd())))
        try:
            yield services
        finally:
            services.close()
