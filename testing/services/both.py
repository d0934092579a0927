"""All services that the app calls, on one local server: Vision 3.2 and 4.0, and the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from testing.services.chat import AZURE_PATH, OPENAI_PATH, ChatService
from testing.services.server import Received, Reply
from testing.services.vision import LocalVision


@dataclass
class LocalServices:
    """Answers for WireServer: passes each request to its service."""

    vision: LocalVision = field(default_factory=LocalVision)
    chat: ChatService = field(default_factory=ChatService)

    def __call__(self, received: Received) -> Reply:
        return self.chat(received) if is_chat(received) else self.vision(received)


def is_chat(received: Received) -> bool:
    """Whether a request is for the caption model."""
    return received.path in {AZURE_PATH, OPENAI_PATH}
