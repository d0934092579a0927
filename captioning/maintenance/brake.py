"""Why `reconcile` has stopped short of marking and removing records, in `captionsstate`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from captioning.ports import StateStore

log = logging.getLogger("captioning.maintenance")

Reason = Literal["images_missing", "other_container"]
KIND, NAME = "brake", "reconcile"
COMMAND = "python -m captioning reconcile --confirm"
ADVICE: dict[Reason, str] = {
    "images_missing": "Too many images are missing for these to be single deletions. Check that"
    " ImageStorage and IMAGES_CONTAINER name the right container. If the images were deleted on"
    f" purpose, run `{COMMAND}`.",
    "other_container": "The records are about another container, or this one was deleted and made"
    " again. Check that ImageStorage and IMAGES_CONTAINER name the right one. If they do, run"
    f" `{COMMAND}`.",
}


class Brake:
    """Keeps the state for health and for later runs, which may be in other processes."""

    def __init__(self, state: StateStore, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now

    def pull(self, reason: Reason, missing: int = 0, records: int = 0) -> None:
        """Notes and logs that a run changed no record: this many images were missing of those whose
        records it saw."""
        log.error(
            "Reconcile changes no records (%s, %d of %d images missing). %s",
            reason,
            missing,
            records,
            ADVICE[reason],
        )
        note = {
            "reason": reason,
            "missing": missing,
            "records": records,
            "at": self._now().isoformat(),
        }
        self._state.put(KIND, NAME, note)

    def release(self) -> None:
        """Notes that nothing is wrong any more."""
        if self._state.get(KIND, NAME):
            self._state.delete(KIND, NAME)

    def reason(self) -> str | None:
        """Why the last run changed no record; None where nothing was wrong."""
        found: str | None = self._state.get(KIND, NAME, lambda note: str(note["reason"]))
        return found
