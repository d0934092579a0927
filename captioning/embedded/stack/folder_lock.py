"""A folder that one process at a time works in."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from captioning.embedded.stack.child import StackError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder, made when missing, for this process alone; the system frees it when we die."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(
                f"Another `make run` keeps its data in {folder}. Stop it, or keep them apart: "
                "make run DATA=.azurite-2"
            ) from error
        yield
