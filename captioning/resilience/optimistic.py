"""Optimistic concurrency: read, change, save where nobody else has saved meanwhile; else again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from captioning.errors import RecordChanged

Result = TypeVar("Result")


def until_saved(attempt: Callable[[], Result], attempts: int | None = None) -> Result:
    """What `attempt` returns. It reads and saves, and is called again where another process saved
    in between and it raised RecordChanged; after so many attempts that is raised."""
    made = 0
    while True:
        try:
            return attempt()
        except RecordChanged:
            made += 1
            if made == attempts:
                raise
