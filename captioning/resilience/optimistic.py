"""Optimistic concurrency: read, change, save; start again if something was saved in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from captioning.errors import RecordChanged

Result = TypeVar("Result")


def until_saved(
    attempt: Callable[[], Result],
    attempts: int | None = None,
    conflicts: tuple[type[Exception], ...] = (RecordChanged,),
) -> Result:
    """The result of the first attempt that meets no conflict.

    `attempt` reads, changes and saves; it is called again when it raises one of `conflicts`, which
    says that another process saved in between. The conflict is raised when `attempts` calls have
    met one.
    """
    made = 0
    while True:
        try:
            return attempt()
        except conflicts:
            made += 1
            if made == attempts:
                raise
