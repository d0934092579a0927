"""Text with API 3.2: an operation that is started, asked after, and done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from captioning.errors import BadResponse, ServiceTimeout, ServiceUnavailable
from captioning.models import TextLine
from captioning.vision import READ_POLLS
from tests.renditions import photo
from tests.vision_service import KEY, VisionService
from tests.wire.server import Reply
from tests.wire.vision import ANALYZE_32, READ_32


@pytest.fixture
def service() -> Iterator[VisionService]:
    with VisionService() as service:
        yield service


def test_32_reads_text_asynchronously(service: VisionService) -> None:
    waited: list[float] = []
    client = service.client(api="3.2", features=("tags", "read"), sleep=waited.append)
    seen = client.analyze(photo(400, 300))
    assert seen.text == (TextLine("SALE", (200, 30, 100, 15)),)
    assert seen.calls == 2
    assert [sent.path for sent in service.received[:2]] == [READ_32, ANALYZE_32]
    polls = service.received[2:]
    assert [sent.method for sent in polls] == ["GET", "GET"]
    assert waited == [1.0, 1.0]
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
    service.faults.extend([Reply(body={"status": "running"})] * READ_POLLS)
    with pytest.raises(ServiceTimeout):
        service.client(api="3.2", features=("read",)).analyze(photo())
    assert len(service.received) == 1 + READ_POLLS


def test_a_read_operation_that_fails_is_tried_again_later(service: VisionService) -> None:
    location = {"Operation-Location": "/vision/v3.2/read/analyzeResults/1"}
    service.faults.append(Reply(202, headers=location))
    service.faults.append(Reply(body={"status": "failed"}))
    with pytest.raises(ServiceUnavailable):
        service.client(api="3.2", features=("read",)).analyze(photo())
