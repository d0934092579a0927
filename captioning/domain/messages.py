"""The app's queue messages: caption an image, notify the webhook's receiver of one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, Protocol, get_args

Renewal = Literal["texts", "tags"]
Source = Literal["event", "reconcile"]


class Message(Protocol):
    """A message of a queue."""

    def to_json(self) -> str:
        """The message's text."""


@dataclass(frozen=True, slots=True)
class CaptionMessage:
    """Process the blob at this path.

    `ticket` names the run whose claim the message was sent for: the image is tried again when that
    claim ends, and the message is void once another run has taken over. `afresh` is the id of a
    request to caption the image again, even if there is a caption. `renew` brings a final record up
    to the present settings (`texts`), or its tags to the present vocabulary at no cost (`tags`).
    `attempts` in a row ended because storage failed, or because the host gave up. `source` is what
    a new upload was heard of by: the blob's event, or `reconcile`, which found it without one.
    """

    path: str
    ticket: str | None = None
    afresh: str | None = None
    renew: Renewal | None = None
    attempts: int = 0
    source: Source | None = None

    def to_json(self) -> str:
        """The message's text, in ASCII: a blob's name may hold any character."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, text: str | bytes) -> CaptionMessage:
        """The message in a queue message's text; ValueError if it is not one of ours."""
        document = json.loads(text)
        if not isinstance(document, dict) or not isinstance(document.get("path"), str):
            raise ValueError("a message needs a `path`")
        known = {name: document.get(name) for name in ("ticket", "afresh")}
        if not all(value is None or isinstance(value, str) for value in known.values()):
            raise ValueError("`ticket` and `afresh` are text")
        renew = document.get("renew")
        if renew not in (None, *get_args(Renewal)):
            raise ValueError("`renew` is texts or tags")
        source = document.get("source")
        if source not in (None, *get_args(Source)):
            raise ValueError("`source` is event or reconcile")
        attempts = _count(document, "attempts")
        return cls(document["path"], **known, renew=renew, attempts=attempts, source=source)


@dataclass(frozen=True, slots=True)
class NotificationMessage:
    """Send the record of this path, as it was saved at `updated` or later, to the receiver.

    So many `attempts` have failed, the first of them at `since`. Storage has failed `unread` times
    in a row when the record was to be read. With `is_deleted`, say instead that the record was
    removed at `updated`.
    """

    path: str
    updated: datetime
    attempts: int = 0
    since: datetime | None = None
    unread: int = 0
    is_deleted: bool = False

    def to_json(self) -> str:
        """The message's text."""
        known = {"path": self.path, "updated": self.updated.isoformat()}
        since = self.since and self.since.isoformat()
        failed = {"attempts": self.attempts, "since": since, "unread": self.unread}
        rest = {**failed, "is_deleted": self.is_deleted}
        return json.dumps(known | {name: value for name, value in rest.items() if value})

    @classmethod
    def from_json(cls, text: str | bytes) -> NotificationMessage:
        """The message in a queue message's text; ValueError if it is not one of ours."""
        document = json.loads(text)
        if not isinstance(document, dict) or not isinstance(document.get("path"), str):
            raise ValueError("a notice needs a `path`")
        updated = _time(document, "updated")
        if updated is None:
            raise ValueError("a notice needs `updated`")
        attempts, unread = (_count(document, name) for name in ("attempts", "unread"))
        since, is_deleted = _time(document, "since"), document.get("is_deleted") is True
        return cls(document["path"], updated, attempts, since, unread, is_deleted)


def _count(document: dict[str, object], name: str) -> int:
    value = document.get(name, 0)
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"`{name}` is a number")
    return value


def _time(document: dict[str, object], name: str) -> datetime | None:
    value = document.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"`{name}` is a time") from None
    if moment.tzinfo is None:
        raise ValueError(f"`{name}` is a time with its zone")
    return moment
