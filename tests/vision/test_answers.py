"""Answers that break off, lack parts or have a shape nobody documented; what can be asked for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from captioning import errors
from captioning.domain.record import ImageAnalysis
from captioning.vision.answers import read_v32, read_v40
from captioning.vision.features import plan_features, supported_features
from captioning.vision.transport import Endpoint
from testing.factories.renditions import photo
from testing.services.server import Reply
from testing.services.vision_clients import VisionService

BOX = {"x": 0, "y": 0, "w": 5, "h": 5}


@pytest.fixture
def service() -> Iterator[VisionService]:
    with VisionService() as service:
        yield service


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"", cut=False),
        Reply(body=b'{"tagsResult": {"val'),
        Reply(body=b"\xff\xfe"),
        Reply(body=b"[" * 100_000),
        Reply(body={"tagsResult": {"values": []}}, cut=True),
        Reply(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
        Reply(reset=True),
        Reply(204),
    ],
    ids=["empty", "half", "no text", "deep", "cut", "encoding", "reset", "no content"],
)
def test_an_answer_that_cannot_be_read_is_tried_again(reply: Reply, service: VisionService) -> None:
    service.faults.append(reply)
    client = service.client()
    with pytest.raises(errors.ServiceUnavailable):
        client.analyze(photo())
    assert client.analyze(photo()).tags


def test_a_late_answer_is_a_timeout(service: VisionService) -> None:
    service.faults.append(Reply(delay=5.0))
    with pytest.raises(errors.ServiceTimeout):
        service.client(timeouts=(1.0, 0.1)).analyze(photo())


def test_a_body_that_stalls_is_a_timeout_too(service: VisionService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = threading.Thread(target=_begin_an_answer, args=(listener,))
        answering.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = service.client(endpoint=address, timeouts=(1.0, 0.2))
        with pytest.raises(errors.ServiceTimeout):
            client.analyze(photo())
        client.close()
        answering.join()


def _begin_an_answer(listener: socket.socket) -> None:
    """Headers, one byte of the body, and silence until the client hangs up."""
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        while connection.recv(65_536):
            pass


def test_nobody_listening_is_unavailable(service: VisionService) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(errors.ServiceUnavailable):
        service.client(endpoint=address).analyze(photo())


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"modelVersion": None, "metadata": None, "tagsResult": None, "captionResult": None},
        {"metadata": {}, "tagsResult": {}, "objectsResult": {"values": None}, "new": 1},
        {"readResult": {"blocks": None}, "peopleResult": {"values": []}},
        {"readResult": {"blocks": [{"lines": None}]}},
        {"objectsResult": {"values": [{"boundingBox": BOX, "tags": None}]}},
    ],
)
def test_what_is_missing_or_null_is_nothing(document: dict[str, Any]) -> None:
    assert read_v40(document, photo(), 0.6) == ImageAnalysis("azure 4.0", 400, 300)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"tags": None, "objects": None, "brands": None, "description": None, "adult": None},
        {"description": {"captions": None}, "adult": {}},
        {"description": {"captions": []}, "metadata": {"format": "Jpeg"}},
    ],
)
def test_likewise_with_32(document: dict[str, Any]) -> None:
    assert read_v32(document, photo(), 0.6) == ImageAnalysis("azure 3.2", 400, 300)


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        "text",
        {"tagsResult": []},
        {"tagsResult": {"values": {"name": "cat"}}},
        {"metadata": {"width": "wide", "height": 1}},
    ],
)
def test_another_shape_is_a_bad_response(document: Any) -> None:
    with pytest.raises(errors.BadResponse):
        read_v40(document, photo(), 0.6)


@pytest.mark.parametrize(
    "bad",
    [
        {"name": 1, "confidence": 0.9},
        {"name": "cat", "confidence": "0.9"},
        {"name": "cat", "confidence": float("nan")},
        {"name": "cat"},
        None,
        "cat",
    ],
)
def test_one_bad_item_spoils_only_itself(bad: Any) -> None:
    good = {"name": "dog", "confidence": 0.9}
    found = read_v40({"tagsResult": {"values": [bad, good]}}, photo(), 0.6)
    assert [tag.name for tag in found.tags] == ["dog"]


@pytest.mark.parametrize("box", [None, {**BOX, "x": 1e999}, {}, [1, 2, 3, 4]])
def test_one_bad_box_spoils_only_its_item(box: Any) -> None:
    people = [{"confidence": 0.9, "boundingBox": box}, {"confidence": 0.8, "boundingBox": BOX}]
    found = read_v40({"peopleResult": {"values": people}}, photo(), 0.6)
    assert [person.confidence for person in found.people] == [0.8]


def test_a_size_may_be_written_with_a_point() -> None:
    document = {"metadata": {"width": 640.0, "height": 480.0}}
    found = read_v40(document, photo(), 0.6)
    assert (found.width, found.height) == (640, 480)


@pytest.mark.parametrize(
    ("api", "features", "formats", "max_bytes", "max_side"),
    [
        ("4.0", ("tags",), "BMP GIF ICO JPEG MPO PNG TIFF WEBP", 20 * 1024 * 1024, 16_000),
        ("4.0", ("tags", "brands"), "BMP GIF JPEG PNG", 4 * 1024 * 1024, 16_000),
        ("3.2", ("tags",), "BMP GIF JPEG PNG", 4 * 1024 * 1024, 16_000),
        ("3.2", ("tags", "read"), "BMP JPEG PNG", 4 * 1024 * 1024, 10_000),
    ],
)
def test_limits_suit_every_call(
    api: str, features: tuple[str, ...], formats: str, max_bytes: int, max_side: int
) -> None:
    limits = plan_features(api, features).limits
    assert limits.formats == frozenset(formats.split())
    assert (limits.max_bytes, limits.min_side, limits.max_side) == (max_bytes, 50, max_side)


def test_features_are_checked_by_name() -> None:
    everything = plan_features("4.0", supported_features("4.0"))
    assert {*everything.v40, *everything.billed32} == set(supported_features("4.0"))
    everything = plan_features("3.2", supported_features("3.2"))
    assert everything.billed32 == ("tags", "objects", "description", "brands", "adult")
    assert everything.read32
    for api, unknown in (("4.0", "smell"), ("3.2", "people"), ("3.2", "denseCaptions")):
        with pytest.raises(ValueError, match=unknown):
            plan_features(api, ("tags", unknown))
    with pytest.raises(ValueError, match="VISION_FEATURES names no feature"):
        plan_features("4.0", ())
    with pytest.raises(ValueError, match="VISION_API"):
        plan_features("5.0", ("tags",))


def test_identity_holds_what_decides_and_no_secret(service: VisionService) -> None:
    client = service.client(features=("read", "tags", "objects", "tags"))
    assert client.identity == "azure 4.0 2024-02-01 tags,objects,read 0.6"
    assert service.client(api="3.2", features=("tags",)).identity == "azure 3.2 tags 0.6"


@pytest.mark.parametrize(
    "address",
    [
        "http://vision.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://localhost",
        "vision.example.com",
        "https://",
        "https://user@vision.example.com",
        "https://vision.example.com?x=1",
        "https://vision.example.com:port",
        "https://[",
        "",
    ],
)
def test_a_secret_goes_to_https_or_loopback_only(address: str) -> None:
    with pytest.raises(ValueError, match="VISION_ENDPOINT"):
        Endpoint(address)


@pytest.mark.parametrize("address", ["https://a.example", "http://localhost:1", "http://[::1]:7"])
def test_these_are_fine(address: str) -> None:
    assert Endpoint(address + "/").address == address


def test_there_is_just_one_credential(service: VisionService) -> None:
    for key, token in ((None, None), ("k", lambda: "t"), ("", None), ("a\nb", None)):
        with pytest.raises(ValueError, match="VISION_KEY"):
            service.client(key=key, token=token)
