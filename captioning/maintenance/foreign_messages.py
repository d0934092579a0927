"""Messages of other apps on the queue that every app on the storage account shares.

The host names the queue of given-up blob events, and gives any of its messages to any of the apps.
On such a queue, a function that raises is tried again every ten minutes for as long as the message
lives; one that returns deletes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from captioning.errors import RecordChanged
from captioning.ports import StateStore

log = logging.getLogger("captioning.maintenance")

KIND, NAME = "foreign", "poison"
LIFE = timedelta(days=7)
"""How long the host lets its poison messages live."""
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=1)
"""A message is hidden for as long again as it is old, within these."""


class SharedQueue(Protocol):
    """The queue, as it is."""

    def put_back(self, body: bytes, hidden: timedelta, lives: timedelta | None) -> None:
        """Sends a message with this body, to be seen after `hidden`; `lives` None is for ever."""


class ForeignMessages:
    """Leaves other apps' messages to them: a few calls in the first hours, then one a day, and one
    line a day in the log, whatever comes."""

    def __init__(self, queue: SharedQueue, state: StateStore, now: Callable[[], datetime]) -> None:
        self._queue = queue
        self._state = state
        self._now = now

    def leave(self, body: bytes, expires: datetime | None) -> None:
        """Puts a copy in the place of a message, which ends when the message would have. Once this
        returns, the host deletes the message itself.

        StorageUnavailable where no copy was made. After a crash in between there are two, and both
        end in time.
        """
        self._tell()
        left = self._left(expires)
        if left is None:
            self._queue.put_back(body, LONGEST, None)
        elif left > timedelta():
            # Young, it is soon seen again: its own app may be the next to get it.
            # And once more before it ends.
            hidden = min(max(LIFE - left, SHORTEST), LONGEST, max(left - SHORTEST, left / 2))
            self._queue.put_back(body, hidden, left)

    def _left(self, expires: datetime | None) -> timedelta | None:
        """The rest of a message's life; None where it has no end that a host would give it."""
        if expires is None:
            return LIFE
        if expires.tzinfo is None:
            expires = expires.replace(tzinfo=UTC)
        left = expires - self._now()
        return left if left <= LIFE + LONGEST else None

    def _tell(self) -> None:
        """Logs, once a day over all processes, that there are such messages."""
        told, etag = self._state.version(
            KIND, NAME, lambda note: datetime.fromisoformat(note["at"])
        )
        now = self._now()
        if told and now - told < LONGEST:
            return
        with suppress(RecordChanged):  # another process has just told
            self._state.replace(KIND, NAME, {"at": now.isoformat()}, etag)
            log.warning(
                "Messages of other apps are on the queue webjobs-blobtrigger-poison, which all apps"
                " on the storage account share. They stay there until their app takes them."
            )
