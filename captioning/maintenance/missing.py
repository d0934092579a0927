"""The records whose blob was missing when `reconcile` last looked, in `captionsstate`.

A mark is a document beside the record, so that it changes neither the record nor its ETag.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from captioning.domain.record import record_id
from captioning.ports import StateStore

KIND = "missing"


@dataclass(frozen=True, slots=True)
class Mark:
    """A path that has no blob, and since when that is known. `is_confirmed`: an operator says that
    the blob was deleted on purpose."""

    path: str
    since: datetime
    is_confirmed: bool = False


class MissingBlobs:
    """The marks of an app."""

    def __init__(self, state: StateStore) -> None:
        self._state = state

    def all(self) -> dict[str, Mark]:
        """Every mark, by path. Where there are none, this is one request."""
        return {mark.path: mark for mark in self._state.all(KIND, _mark)}

    def put(self, mark: Mark) -> None:
        """Saves a mark, in place of any other of its path."""
        document = {
            "path": mark.path,
            "since": mark.since.isoformat(),
            "is_confirmed": mark.is_confirmed,
        }
        self._state.put(KIND, record_id(mark.path), document)

    def clear(self, path: str) -> None:
        """Deletes the mark of a path, if there is one."""
        self._state.delete(KIND, record_id(path))


def _mark(document: dict[str, Any]) -> Mark:
    path, since = document["path"], datetime.fromisoformat(document["since"])
    if not isinstance(path, str) or since.tzinfo is None:
        raise ValueError("no mark")
    return Mark(path, since, bool(document.get("is_confirmed")))
