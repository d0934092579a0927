"""Text with API 3.2: an operation that is started, asked after, and done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from captioning.domain.record import TextLine
from captioning.domain.usage import Bill
from captioning.errors import BadResponse, ServiceTimeout, ServiceUnavailable
from captioning.vision.client import READ_POLL_SECONDS, READ_SECONDS
from testing.factories.renditions import photo
from testing.fakes.calls import Answer, RecordedCalls
from testing.services.server import Reply
from testing.services.vision import ANALYZE_32, READ_32
from testing.services.vision_clients import KEY, VisionService


@pytest.fixture
def service() -> Iterator[VisionService]:
    with VisionService() as service:
        yield service


def test_32_reads_text_asynchronously(service: VisionService) -> None:
    waited: list[float] = []
    client = service.client(api="3.2", features=("tags", "read"), sleep=waited.append)
    calls = RecordedCalls()
    seen = client.analyze(photo(400, 300), calls)
    assert seen.text == (TextLine("SALE", (200, 30, 100, 15)),)
    assert [sent.path for sent in service.received[:2]] == [READ_32, ANALYZE_32]
    polls = service.received[2:]
    assert [sent.method for sent in polls] == ["GET", "GET"]
    assert waited == [1.0, 1.0]
    assert calls.bills == [Bill(("read",)), Bill(("tags",))]
    assert calls.asked == 4
    assert all(sent.headers["ocp-apim-subscription-key"] == KEY for sent in polls)


@pytest.mark.parametrize(
    "location", ["", "https://elsewhere.example/1", "http://127.0.0.1:1/x", "http://[", "//e/x"]
)
def test_a_read_operation_elsewhere_does_not_get_the_key(
    service: VisionService, location: str
) -> None:
    service.faults.append(Reply(202, headers={"Operation-Location": location}))
    with pytest.raises(BadResponse):
        service.client(api="3.2", features=("read",)).analyze(photo())
    assert len(service.received) == 1


def test_a_read_operation_that_never_ends_is_a_timeout(service: VisionService) -> None:
    location = {"Operation-Location": f"{service.url}/vision/v3.2/read/analyzeResults/1"}
    service.faults.append(Reply(202, headers=location))
    service.faults.extend([Reply(body={"status": "running"})] * 100)
    waited: list[float] = []
    client = service.client(
        api="3.2", features=("read",), sleep=waited.append, clock=lambda: sum(waited)
    )
    with pytest.raises(ServiceTimeout):
        client.analyze(photo())
    assert len(service.received) == 1 + READ_SECONDS / READ_POLL_SECONDS


def test_a_look_at_the_text_that_fails_is_made_again_alone(service: VisionService) -> None:
    calls = RecordedCalls(attempts=3)
    client = service.client(api="3.2", features=("read",))
    client.analyze(photo())
    location = {"Operation-Location": service.received[-1].path}
    service.faults.extend([Reply(202, headers=location), Reply(503), Reply(body=b"{")])
    service.received.clear()
    assert client.analyze(photo(), calls).text
    assert [sent.method for sent in service.received] == ["POST", "GET", "GET", "GET"]
    assert calls.features == ["read"]


def test_text_that_is_ready_after_a_long_wait_for_a_turn_is_taken(service: VisionService) -> None:
    class Slow(RecordedCalls):
        """The gate is closed for a minute."""

        def ask(self, call: Callable[[], Answer]) -> Answer:
            waited.append(60.0)
            return super().ask(call)

    waited: list[float] = []
    service.vision._running_polls = 0
    client = service.client(
        api="3.2", features=("read",), sleep=waited.append, clock=lambda: sum(waited)
    )
    assert client.analyze(photo(), Slow()).text


def test_a_read_operation_that_fails_is_tried_again_later(service: VisionService) -> None:
    location = {"Operation-Location": "/vision/v3.2/read/analyzeResults/1"}
    service.faults.append(Reply(202, headers=location))
    service.faults.append(Reply(body={"status": "failed"}))
    with pytest.raises(ServiceUnavailable):
        service.client(api="3.2", features=("read",)).analyze(photo())
