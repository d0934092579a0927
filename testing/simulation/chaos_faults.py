"""Vision and the model with faults: they fail by a seeded plan, and record every call."""

from __future__ import annotations

import json
import random
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields, replace
from typing import Any, Literal

from testing.factories.numbered_pictures import number_of
from testing.services.both import LocalServices, is_chat
from testing.services.chat import ChatService
from testing.services.chat_replies import completion, deployment_not_found, error_reply, throttled
from testing.services.server import Received, Reply
from testing.services.vision import LocalVision
from testing.services.vision_refusals import gateway
from testing.services.vision_scene import Scene

Service = Literal["vision", "model"]
SERVICES: tuple[Service, ...] = ("vision", "model")
HANG_SECONDS = 30.0
"""Longer than any client waits in these tests."""


@dataclass(frozen=True)
class Faults:
    """The shares of calls, 0 to 1, that fail in each way."""

    throttled: float = 0.0
    broken: float = 0.0
    reset: float = 0.0
    cut: float = 0.0
    hanging: float = 0.0


CALM = Faults()
ROUGH = Faults(throttled=0.20, broken=0.05, reset=0.03, cut=0.03, hanging=0.02)
"""The shares of the chaos runs."""


@dataclass(frozen=True)
class Call:
    """A call: its service, its picture, its outcome (`served`, or a kind of fault), and its time by
    the monotonic clock."""

    service: Service
    picture: int
    outcome: str
    at: float


class FaultyServices:
    """Answers for WireServer. The n-th call for a picture always has the same outcome, however the
    threads of the app are scheduled.

    While `refusals` has an answer for a service, the service gives it to every call. `on_call` is
    called before each answer, for what happens during a call.
    """

    def __init__(self, seed: int, faults: Faults = CALM, latency: float = 0.0) -> None:
        self.calls: list[Call] = []
        self.faults = faults
        self.refusals: dict[Service, Callable[[], Reply]] = {}
        self.on_call: Callable[[Service, int], object] = lambda *_: None
        self._seed = seed
        self._latency = latency
        self._healthy = LocalServices(LocalVision(scene=_scene), _NumberedChat())
        self._lock = threading.Lock()

    def __call__(self, received: Received) -> Reply:
        service: Service = "model" if is_chat(received) else "vision"
        picture = number_of(_shown(received.json()) if is_chat(received) else received.body)
        at = time.monotonic()
        self.on_call(service, picture)
        refusal = self.refusals.get(service)
        with self._lock:
            outcome = "refused" if refusal else self._outcome(service, picture)
            reply = refusal() if refusal else self._reply(service, outcome, received)
            if outcome == "served" and reply.status != 200:
                outcome = f"HTTP {reply.status}"
            self.calls.append(Call(service, picture, outcome, at))
        return reply

    def served(self, service: Service) -> Counter[int]:
        """How many calls a service answered in full, by picture."""
        return Counter(
            call.picture
            for call in self.calls
            if call.service == service and call.outcome == "served"
        )

    def outcomes(self, service: Service) -> Counter[str]:
        """How many calls of a service had each outcome."""
        return Counter(call.outcome for call in self.calls if call.service == service)

    def totals(self) -> Counter[Service]:
        """How many calls each service received."""
        return Counter(call.service for call in self.calls)

    def _outcome(self, service: Service, picture: int) -> str:
        earlier = sum(call.service == service and call.picture == picture for call in self.calls)
        drawn = random.Random(f"{self._seed} {service} {picture} {earlier}").random()
        for field, share in zip(fields(Faults), astuple(self.faults), strict=True):
            drawn -= share
            if drawn < 0:
                return field.name
        return "served"

    def _reply(self, service: Service, outcome: str, received: Received) -> Reply:
        match outcome:
            case "throttled":
                return TOO_MANY[service]()
            case "broken":
                return OUT_OF_ORDER[service]()
            case "reset":
                return Reply(reset=True)
            case "hanging":
                return Reply(delay=HANG_SECONDS, reset=True)
        healthy = self._healthy(received)
        return replace(healthy, delay=self._latency, cut=outcome == "cut")


class _NumberedChat(ChatService):
    """A model whose caption names the picture."""

    def _answered(self, request: dict[str, Any], model: str) -> Reply:
        name = f"picture {number_of(_shown(request))}"
        text = {"caption": f"This is {name}.", "alt_text": f"Cells of {name}.", "description": ""}
        answer = json.dumps({"decorative": False, "texts": {"en": text}})
        return completion(answer, model=model)


def _scene(body: bytes) -> Scene:
    return Scene(tags=((f"picture {number_of(body)}", 0.97),), objects=(), text=())


def _shown(request: dict[str, Any]) -> bytes:
    """The picture in a request to the model."""
    parts = [part for message in request["messages"] for part in message["content"]]
    url = next(part["image_url"]["url"] for part in parts if "image_url" in part)
    return b64decode(url.partition(",")[2])


def _vision_says(status: int, message: str, **headers: str) -> Callable[[], Reply]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def reply() -> Reply:
        plain = gateway(status, message).reply
        return replace(plain, headers=plain.headers | named)

    return reply


TOO_MANY: dict[Service, Callable[[], Reply]] = {
    "vision": _vision_says(429, "Rate limit is exceeded. Try again in 1 seconds.", retry_after="1"),
    "model": lambda: throttled(retry_after="1"),
}
OUT_OF_ORDER: dict[Service, Callable[[], Reply]] = {
    "vision": _vision_says(500, "Internal server error."),
    "model": lambda: error_reply(500, "The server had an error.", kind="server_error"),
}
KEY_REVOKED = _vision_says(
    401, "Access denied due to invalid subscription key or wrong API endpoint."
)
"""Vision's answer to a revoked key."""
DEPLOYMENT_DELETED = deployment_not_found
"""The model's answer when its deployment was deleted."""
