"""A whole pipeline over real storage, with both services at the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from captioning.captioner import OpenAICaptioner
from captioning.images import inspect
from captioning.models import CaptionInput, StoredRecord
from captioning.pipeline import CaptionPipeline, Images
from captioning.providers import Providers
from captioning.vision import VisionClient
from tests.records import START
from tests.storage_lab import Storage
from tests.wire.chat import KEY as CHAT_KEY
from tests.wire.chat import ChatService
from tests.wire.server import Received, Reply, WireServer
from tests.wire.vision import LocalVision

VISION_KEY = "local-vision-key"


class Service:
    """One service at the wire. `on_request` runs before it answers: for what happens meanwhile."""

    def __init__(self, answer: Callable[[Received], Reply], stack: ExitStack) -> None:
        self.on_request: Callable[[], object] = lambda: None
        self._answer = answer
        self._server = stack.enter_context(WireServer(self._answered))
        self.url, self.received, self.faults = (
            self._server.url,
            self._server.received,
            self._server.faults,
        )

    def once(self, action: Callable[[], object]) -> None:
        """Runs the action at the first request only."""
        first = threading.Lock()
        self.on_request = lambda: action() if first.acquire(blocking=False) else None

    def _answered(self, received: Received) -> Reply:
        self.on_request()
        return self._answer(received)


class Works:
    """Storage, Vision and the model; and pipelines over them as `build_services` makes them."""

    def __init__(self, storage: Storage, stack: ExitStack) -> None:
        self.storage = storage
        self.local_vision, self.chat_service = LocalVision(key=VISION_KEY), ChatService()
        self.vision = Service(self.local_vision, stack)
        self.model = Service(self.chat_service, stack)
        self._stack = stack

    @property
    def calls(self) -> tuple[int, int]:
        """Requests to Vision and to the model so far."""
        return len(self.vision.received), len(self.model.received)

    def analyzer(self, **changes: Any) -> VisionClient:
        """A client of the local Vision."""
        keywords: dict[str, Any] = {"endpoint": self.vision.url, "key": VISION_KEY}
        client = VisionClient(**(keywords | changes))
        self._stack.callback(client.close)
        return client

    def captioner(self, **changes: Any) -> OpenAICaptioner:
        """A client of the local model."""
        keywords: dict[str, Any] = {
            "base_url": f"{self.model.url}/openai/v1/",
            "api_key": CHAT_KEY,
            "model": "gpt-4o-mini",
            "languages": ("en", "de"),
        }
        client = OpenAICaptioner(**(keywords | changes))
        self._stack.callback(client.close)
        return client

    def pipeline(
        self,
        caption_input: CaptionInput = "image+tags",
        *,
        analyzer: VisionClient | None = None,
        captioner: OpenAICaptioner | None = None,
        vision: bool = True,
        images: Images | None = None,
        **changes: Any,
    ) -> CaptionPipeline:
        """A pipeline; time stands still at START, and a run takes 1.5 seconds."""
        watch = iter(range(1_000))
        providers = Providers(
            (analyzer or self.analyzer()) if vision else None,
            captioner or self.captioner(),
            caption_input,
        )
        self._stack.callback(providers.close)
        keywords: dict[str, Any] = {
            "images": images or self.storage.images,
            "inspect": inspect,
            "providers": providers,
            "catalog": self.storage.catalog,
            "max_image_bytes": 50 * 1024 * 1024,
            "now": lambda: START,
            "stopwatch": lambda: next(watch) * 1.5,
        }
        return CaptionPipeline(**(keywords | changes))

    def stored(self, path: str) -> StoredRecord:
        """What the catalogue holds about a path."""
        found = self.storage.catalog.get(path)
        assert found is not None
        return found
