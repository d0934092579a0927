"""Azure AI Vision 4.0 and a chat completions service in one process, with latencies as set.

    python -m bench.harness.services PORT

They answer in the form of the real ones and accept any request: `testing/services` has stand-ins
that check requests. Bodies are read and dropped, so that the services use little CPU.
`POST /behaviour` sets how they behave and resets the counts; `GET /counts` returns the counts.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from testing.services.chat_replies import completion, throttled
from testing.services.vision_bodies import analyzed_40
from testing.services.vision_refusals import gateway
from testing.services.vision_scene import Frame, Scene

REFUSED_AFTER = 0.02
"""Seconds after which a 429 is answered."""
HEAD_END = b"\r\n\r\n"
GOLDEN = (5**0.5 - 1) / 2


@dataclass
class Behaviour:
    """How the services behave.

    `vision` and `chat` are their mean seconds, uniformly distributed within plus or minus the share
    `spread`. `refused` is the share of calls that get a 429 at random. `quota` is the number of
    calls a second that each service allows (0: any number), `burst` how many can accumulate, and
    `retry_after` the `Retry-After` of a 429.
    """

    vision: float = 0.3
    chat: float = 0.9
    spread: float = 0.2
    refused: float = 0.0
    quota: float = 0.0
    burst: float = 1.0
    retry_after: int = 1

    def seconds(self, mean: float, number: int) -> float:
        """The seconds of the call with this number. Multiples of the golden ratio fill the spread
        evenly, so that the mean of even a few calls is close to `mean`."""
        return mean * (1 + self.spread * (2 * (number * GOLDEN % 1) - 1))


@dataclass
class Counts:
    """How many calls were answered and refused, and the seconds that answers were set to take."""

    vision: int = 0
    chat: int = 0
    refused: int = 0
    vision_seconds: float = 0.0
    chat_seconds: float = 0.0


class Quota:
    """A token bucket that fills at a rate; with rate 0 it allows every call."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._held, self._seen = burst, time.monotonic()

    def allows(self) -> bool:
        """Whether a call is allowed now; takes its token."""
        now = time.monotonic()
        self._held = min(self._burst, self._held + (now - self._seen) * self._rate)
        self._seen = now
        if self._rate and self._held < 1:
            return False
        self._held -= 1
        return True


class Services:
    """Both services, in one process."""

    def __init__(self, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        frame, scene = Frame("JPEG", (0, 0)), Scene()
        self._analysis = analyzed_40(scene, frame, ("tags", "objects", "read"))
        self.behave({})

    def behave(self, behaviour: dict[str, float]) -> None:
        """Sets the given behaviour, with defaults for the rest, and resets the counts."""
        self.behaviour = Behaviour(**behaviour)  # type: ignore[arg-type]  # a whole number is a float
        self.counts = Counts()
        quota, burst = self.behaviour.quota, self.behaviour.burst
        self._quotas = {is_chat: Quota(quota, burst) for is_chat in (True, False)}

    def answer(self, path: str, start: bytes) -> tuple[float, int, dict[str, Any], dict[str, str]]:
        """Seconds to wait, status, body and headers; `start` is the beginning of the body."""
        if path == "/counts":
            return 0.0, 200, asdict(self.counts), {}
        if path == "/behaviour":
            self.behave(json.loads(start))
            return 0.0, 200, {}, {}
        is_chat = path.startswith("/openai/")
        if self._chance.random() < self.behaviour.refused or not self._quotas[is_chat].allows():
            self.counts.refused += 1
            reply = throttled() if is_chat else gateway(429, "Too many requests.").reply
            assert isinstance(reply.body, dict)
            return REFUSED_AFTER, 429, reply.body, {"Retry-After": str(self.behaviour.retry_after)}
        if is_chat:
            self.counts.chat += 1
            seconds = self.behaviour.seconds(self.behaviour.chat, self.counts.chat)
            self.counts.chat_seconds += seconds
            return seconds, 200, _caption(), {}
        self.counts.vision += 1
        seconds = self.behaviour.seconds(self.behaviour.vision, self.counts.vision)
        self.counts.vision_seconds += seconds
        width, height = _jpeg_size(start)
        return seconds, 200, self._analysis | {"metadata": {"width": width, "height": height}}, {}


class Connection(asyncio.BufferedProtocol):
    """An HTTP/1.1 connection, one request at a time. Of a body only the beginning is kept."""

    _room = bytearray(1 << 20)
    """Shared by all connections: its content is processed before the next data is received."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._answer = answer
        self._head, self._path, self._left = b"", "", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        kept = max(0, 65_536 - len(self._head))
        if not self._path:
            self._head += bytes(self._room[:nbytes])
            if HEAD_END not in self._head:
                return
            head, _, body = self._head.partition(HEAD_END)
            lines = head.decode("latin-1").split("\r\n")
            self._path = lines[0].split(" ")[1].partition("?")[0]
            self._left = _length(lines[1:]) - len(body)
            self._head = body
        else:
            self._left -= nbytes
            self._head += bytes(self._room[: min(nbytes, kept)])
        if self._left <= 0:
            self._respond()

    def _respond(self) -> None:
        seconds, status, document, headers = self._answer(self._path, self._head)
        self._head, self._path = b"", ""
        body = json.dumps(document).encode()
        named = {"Content-Type": "application/json", **headers, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        data = f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body
        asyncio.get_running_loop().call_later(seconds, self._transport.write, data)


def _length(lines: list[str]) -> int:
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


def _jpeg_size(start: bytes) -> tuple[int, int]:
    """Width and height from the frame header of a JPEG."""
    at = 2
    while at + 9 < len(start):
        marker, length = start[at + 1], int.from_bytes(start[at + 2 : at + 4], "big")
        if marker in {0xC0, 0xC1, 0xC2}:
            height, width = (int.from_bytes(start[at + n : at + n + 2], "big") for n in (5, 7))
            return width, height
        at += 2 + length
    raise ValueError("no JPEG")


def _caption() -> dict[str, Any]:
    texts = {
        "caption": "A tabby cat sits on a wooden chair indoors.",
        "alt_text": "A tabby cat on a wooden chair looks at the camera.",
        "description": "A tabby cat sits on a wooden chair beside a sign that says SALE.",
    }
    answer = json.dumps({"decorative": False, "texts": {"en": texts}})
    body = completion(answer, tokens_in=3_400).body
    assert isinstance(body, dict)
    return body


async def serve(port: int) -> None:
    """Serves until it is cancelled."""
    services = Services()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(services.answer), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
