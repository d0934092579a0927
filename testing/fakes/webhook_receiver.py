"""A receiver of webhook deliveries, in memory, and the key with which they are signed."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import deque
from typing import Any

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = b64decode(SECRET.removeprefix("whsec_"))


class MemoryReceiver:
    """Takes the place of WebhookClient. Errors in `troubles` are raised first, in order."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, str], Any]] = []
        self.troubles: deque[Exception] = deque()

    def post(self, body: bytes, headers: dict[str, str]) -> None:
        if self.troubles:
            raise self.troubles.popleft()
        self.deliveries.append((headers, json.loads(body)))

    @property
    def identities(self) -> list[str]:
        """The ids of all deliveries."""
        return [headers["webhook-id"] for headers, _ in self.deliveries]

    def latest(self, path: str) -> Any:
        """The last record of this path that was delivered."""
        delivered = [body["data"] for _, body in self.deliveries if body["data"]["path"] == path]
        return delivered[-1] if delivered else None

    def same_under_one_identity(self) -> bool:
        """Whether deliveries have the same id exactly if they have the same body."""
        said = {(h["webhook-id"], json.dumps(body)) for h, body in self.deliveries}
        return len(said) == len({i for i, _ in said}) == len({body for _, body in said})
