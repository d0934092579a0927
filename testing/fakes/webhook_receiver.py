"""A receiver of the webhook's deliveries, in memory; and the key that they are signed with."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import deque
from typing import Any

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = b64decode(SECRET.removeprefix("whsec_"))


class MemoryReceiver:
    """For WebhookReceiver; `troubles` are raised first, in order."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, str], Any]] = []
        self.troubles: deque[Exception] = deque()

    def post(self, body: bytes, headers: dict[str, str]) -> None:
        if self.troubles:
            raise self.troubles.popleft()
        self.deliveries.append((headers, json.loads(body)))

    @property
    def identities(self) -> list[str]:
        """Of all deliveries."""
        return [headers["webhook-id"] for headers, _ in self.deliveries]

    def latest(self, path: str) -> Any:
        """The record that was told last."""
        told = [body["data"] for _, body in self.deliveries if body["data"]["path"] == path]
        return told[-1] if told else None

    def same_under_one_identity(self) -> bool:
        """Whether deliveries with the same identity say the same, and others do not."""
        said = {(h["webhook-id"], json.dumps(body)) for h, body in self.deliveries}
        return len(said) == len({i for i, _ in said}) == len({body for _, body in said})
