"""A running local Azure AI Vision, and clients of it that are closed with it."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from captioning.vision.client import VisionClient
from testing.services.server import Received, Reply, WireServer
from testing.services.vision import LocalVision

KEY = "local-vision-key"
TOKEN = "entra-token"


class VisionService:
    """A server with a local Vision. `received` and `faults` are those of the server."""

    def __init__(self) -> None:
        self.vision = LocalVision(key=KEY, token=TOKEN)
        self._server = WireServer(self.vision)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._server)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def received(self) -> list[Received]:
        return self._server.received

    @property
    def faults(self) -> deque[Reply]:
        return self._server.faults

    def client(self, **keywords: Any) -> VisionClient:
        """A client that does not sleep, with the key unless it is given a token."""
        defaults: dict[str, Any] = {"endpoint": self.url, "sleep": lambda _: None}
        if "token" not in keywords:
            defaults["key"] = KEY
        client = VisionClient(**(defaults | keywords))
        self._open.callback(client.close)
        return client
