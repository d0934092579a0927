"""VisionClient at the wire: what it sends, and what it makes of the answers."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from captioning.domain.record import DetectedObject, Tag, TextLine
from captioning.domain.usage import Bill
from captioning.errors import AuthRefused, BadResponse, ServiceUnavailable
from testing.factories.renditions import photo, sample
from testing.fakes.calls import RecordedCalls
from testing.services.server import Reply
from testing.services.vision import ANALYZE_32, ANALYZE_40, LocalVision
from testing.services.vision_clients import KEY, VisionService
from testing.services.vision_scene import Scene


@pytest.fixture
def service() -> Iterator[VisionService]:
    with VisionService() as service:
        yield service


def test_a_40_call_carries_the_original_bytes_and_the_key_in_a_header(
    service: VisionService,
) -> None:
    image = sample("cat.jpg")
    service.client(endpoint=service.url + "/").analyze(image)
    [sent] = service.received
    assert (sent.method, sent.path) == ("POST", ANALYZE_40)
    assert sent.query == [("api-version", "2024-02-01"), ("features", "tags,objects,read")]
    assert sent.headers["content-type"] == "application/octet-stream"
    assert sent.headers["ocp-apim-subscription-key"] == KEY
    assert "authorization" not in sent.headers
    assert sent.body == image.data


def test_a_token_is_asked_for_at_every_call(service: VisionService) -> None:
    tokens = iter(["stale", "entra-token"])
    client = service.client(token=lambda: next(tokens))
    with pytest.raises(AuthRefused):
        client.analyze(photo())
    client.analyze(photo())
    assert [sent.headers["authorization"] for sent in service.received] == [
        "Bearer stale",
        "Bearer entra-token",
    ]
    assert not any("ocp-apim-subscription-key" in sent.headers for sent in service.received)


def test_the_token_providers_own_error_is_ours_to_pass_on(service: VisionService) -> None:
    def refused() -> str:
        raise AuthRefused("no identity")

    with pytest.raises(AuthRefused, match="no identity"):
        service.client(token=refused).analyze(photo())


@pytest.mark.parametrize("token", ["", "two words", "line\r\nbreak", "schlüssel"])
def test_what_is_no_token_is_not_sent(service: VisionService, token: str) -> None:
    with pytest.raises(AuthRefused):
        service.client(token=lambda: token).analyze(photo())
    assert service.received == []


def test_a_40_answer_becomes_an_analysis(service: VisionService) -> None:
    features = ("tags", "objects", "read", "caption", "denseCaptions", "people")
    seen = service.client(features=features).analyze(photo(400, 300))
    assert seen.provider == "azure 4.0 2023-10-01"
    assert (seen.width, seen.height) == (400, 300)
    assert seen.tags == (Tag("cat", 0.97), Tag("indoor", 0.81))
    assert seen.objects == (DetectedObject("cat", 0.9, (40, 60, 120, 120)),)
    assert seen.text == (TextLine("SALE", (200, 30, 100, 15)),)
    assert seen.people == (DetectedObject("person", 0.93, (80, 30, 40, 240)),)
    assert seen.captions == ("a cat on a chair",)


def test_a_32_answer_becomes_the_same_analysis(service: VisionService) -> None:
    features = ("tags", "objects", "caption", "description", "brands", "adult")
    seen = service.client(api="3.2", features=features).analyze(photo(400, 300))
    [sent] = service.received
    assert sent.path == ANALYZE_32
    assert sent.query == [("visualFeatures", "Tags,Objects,Description,Brands,Adult")]
    assert seen.provider == "azure 3.2 2021-04-01"
    assert seen.tags == (Tag("cat", 0.97), Tag("indoor", 0.81))
    assert seen.objects == (DetectedObject("cat", 0.9, (40, 60, 120, 120)),)
    assert seen.brands == (DetectedObject("Pepsi", 0.857, (240, 180, 80, 30)),)
    assert seen.captions == ("a cat on a chair",)
    assert seen.adult == ()


def test_what_40_lacks_is_asked_for_in_one_32_call_beside_it(service: VisionService) -> None:
    service.vision.scene = lambda _: Scene(racy=True)
    features = ("tags", "brands", "description", "adult")
    seen = service.client(features=features).analyze(photo())
    assert [sent.path for sent in service.received] == [ANALYZE_40, ANALYZE_32]
    assert service.received[1].query == [("visualFeatures", "Brands,Description,Adult")]
    assert seen.provider == "azure 4.0 2023-10-01 + azure 3.2 2021-04-01"
    assert seen.tags[0].name == "cat"
    assert [brand.name for brand in seen.brands] == ["Pepsi"]
    assert seen.adult == ("racy",)


def test_without_a_40_feature_there_is_no_40_call(service: VisionService) -> None:
    service.client(features=("brands",)).analyze(photo())
    assert [sent.path for sent in service.received] == [ANALYZE_32]


def test_each_call_is_billed_when_it_is_answered(service: VisionService) -> None:
    calls = RecordedCalls()
    features = ("tags", "caption", "brands", "description", "adult")
    service.client(features=features).analyze(photo(), calls)
    beside = ("brands", "description", "adult")
    assert calls.bills == [Bill(("tags", "caption")), Bill(beside)]
    assert service.vision.billed == 5


def test_captions_of_32_are_one_transaction_however_they_are_asked_for(
    service: VisionService,
) -> None:
    calls = RecordedCalls()
    service.client(api="3.2", features=("caption", "description")).analyze(photo(), calls)
    assert calls.features == ["description"]
    assert service.vision.billed == 1


def test_a_call_that_fails_is_made_again_alone(service: VisionService) -> None:
    answered = LocalVision()
    client = service.client(features=("tags", "brands"))
    client.analyze(photo())
    service.faults.extend([answered(service.received[0]), Reply(429), Reply(body=b'{"br')])
    service.received.clear()
    calls = RecordedCalls(attempts=3)
    assert client.analyze(photo(), calls).brands
    assert [sent.path for sent in service.received] == [ANALYZE_40, *[ANALYZE_32] * 3]
    assert service.received[1].body == service.received[3].body == photo().data
    assert calls.features == ["tags", "brands"]


def test_an_answer_of_another_shape_is_billed_too(service: VisionService) -> None:
    service.faults.append(Reply(body={"tagsResult": []}))
    calls = RecordedCalls()
    with pytest.raises(BadResponse):
        service.client(features=("tags",)).analyze(photo(), calls)
    assert calls.bills == [Bill(("tags",))]


@pytest.mark.parametrize("body", [{}, {"error": {"code": "InternalServerError"}}, {"tags": []}])
def test_an_answer_without_any_result_is_no_answer(
    service: VisionService, body: dict[str, Any]
) -> None:
    """It would be a picture in which nothing is seen, paid for and kept."""
    service.faults.append(Reply(body=body))
    calls = RecordedCalls()
    with pytest.raises(ServiceUnavailable):
        service.client(features=("tags", "read")).analyze(photo(), calls)
    assert calls.bills == []


def test_what_is_refused_is_not_billed(service: VisionService) -> None:
    calls = RecordedCalls()
    with pytest.raises(AuthRefused):
        service.client(key="wrong").analyze(photo(), calls)
    assert calls.bills == []


def test_calls_that_see_an_image_turned_and_unturned_agree(service: VisionService) -> None:
    image = photo(400, 300, orientation=6)
    client = service.client(features=("objects", "brands"))
    expected = image.to_stored(client.analyze(image))
    service.vision.applies_exif = False
    first = LocalVision()(service.received[0])
    service.faults.append(first)
    mixed = client.analyze(image)
    assert (mixed.width, mixed.height) == image.stored
    assert mixed.objects == expected.objects
    assert mixed.brands == expected.brands


def test_every_thread_has_one_session_and_it_ends_with_the_thread(service: VisionService) -> None:
    made: list[int] = []

    def session() -> requests.Session:
        made.append(threading.get_ident())
        return requests.Session()

    client = service.client(session=session)

    def analyze_twice() -> None:
        client.analyze(photo())
        client.analyze(photo())

    _in_threads(analyze_twice, 3)
    assert len(made) == 3
    assert len(service.received) == 6
    gc.collect()
    assert len(client._http._sessions._open) == 0


def test_the_environment_has_no_say(
    service: VisionService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert service.client().analyze(photo()).tags


def test_the_threshold_is_the_callers(service: VisionService) -> None:
    seen = service.client(min_confidence=0.4).analyze(photo())
    assert [tag.name for tag in seen.tags] == ["cat", "indoor", "plant"]
    assert [item.name for item in seen.objects] == ["cat", "chair"]


def test_without_a_reported_size_the_sent_one_counts(service: VisionService) -> None:
    service.faults.append(Reply(body={"metadata": {"width": 0, "height": 0}, "tagsResult": None}))
    seen = service.client().analyze(replace(photo(), width=70, height=80))
    assert (seen.width, seen.height, seen.provider) == (70, 80, "azure 4.0")


def test_the_key_is_never_in_a_url(service: VisionService) -> None:
    service.client(api="3.2", features=("tags", "read")).analyze(photo())
    urls = [(sent.path, sent.query) for sent in service.received]
    assert KEY not in str(urls)


def _in_threads(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
