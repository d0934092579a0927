"""What asks for an image to be processed: an event, or a message that was put by for later."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Wake:
    """Process the blob at this path.

    `ticket` names the run whose claim the message was sent for: it is to look at the image when
    that claim ends, and is void once another run has taken over. `afresh` is the id of a request to
    caption the image again, whatever is known of it.
    """

    path: str
    ticket: str | None = None
    afresh: str | None = None

    def to_json(self) -> str:
        """The message's text; a blob's name may hold any character."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, text: str | bytes) -> Wake:
        """ValueError where the message is not one of ours."""
        document = json.loads(text)
        if not isinstance(document, dict) or not isinstance(document.get("path"), str):
            raise ValueError("a message needs a `path`")
        known = {name: document.get(name) for name in ("ticket", "afresh")}
        if not all(value is None or isinstance(value, str) for value in known.values()):
            raise ValueError("`ticket` and `afresh` are text")
        return cls(document["path"], **known)
