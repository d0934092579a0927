"""Whatever goes wrong between VisionClient and the service ends as one of our errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import requests
from requests.adapters import BaseAdapter

from captioning import errors
from testing.factories.renditions import photo, rendition
from testing.services.server import Reply
from testing.services.vision_clients import KEY, VisionService
from testing.services.vision_refusals import gateway, refused_32, refused_40


@pytest.fixture(scope="module")
def shared() -> Iterator[VisionService]:
    with VisionService() as service:
        yield service


@pytest.fixture
def service(shared: VisionService) -> VisionService:
    shared.faults.clear()
    shared.vision.captions = True
    return shared


def _family(root: type[BaseException]) -> set[type[BaseException]]:
    return {root}.union(*(_family(child) for child in root.__subclasses__()))


REQUESTS_ERRORS = sorted(_family(requests.RequestException), key=lambda kind: kind.__name__)
NOT_UNAVAILABLE = {
    "Timeout": errors.ServiceTimeout,
    "ConnectTimeout": errors.ServiceTimeout,
    "ReadTimeout": errors.ServiceTimeout,
    "InvalidURL": errors.ModelGone,
    "InvalidProxyURL": errors.ModelGone,
    "InvalidSchema": errors.ModelGone,
    "MissingSchema": errors.ModelGone,
    "URLRequired": errors.ModelGone,
    "InvalidHeader": errors.AuthRefused,
}


class _Raising(BaseAdapter):
    """A transport that fails."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def send(self, *_: Any, **__: Any) -> NoReturn:
        raise self._error

    def close(self) -> None:
        """Nothing is open."""


def _raised(kind: type[BaseException]) -> BaseException:
    if issubclass(kind, requests.exceptions.JSONDecodeError):
        return kind("secret text", "{", 0)
    return kind("secret text")


@pytest.mark.parametrize("kind", REQUESTS_ERRORS, ids=lambda kind: kind.__name__)
def test_every_exception_of_requests_is_mapped(
    kind: type[BaseException], service: VisionService
) -> None:
    def session() -> requests.Session:
        session = requests.Session()
        session.mount(service.url, _Raising(_raised(kind)))
        return session

    with pytest.raises(errors.CaptioningError) as caught:
        service.client(session=session).analyze(photo())
    assert type(caught.value) is NOT_UNAVAILABLE.get(kind.__name__, errors.ServiceUnavailable)
    assert "secret text" not in caught.value.message


STATUSES: dict[int, type[errors.CaptioningError]] = {
    401: errors.AuthRefused,
    403: errors.AuthRefused,
    404: errors.ModelGone,
    405: errors.ModelGone,
    407: errors.AuthRefused,
    408: errors.ServiceTimeout,
    410: errors.ModelGone,
    413: errors.ImageTooLarge,
    415: errors.UnsupportedFormat,
    429: errors.ServiceThrottled,
}


@pytest.mark.parametrize("body", [b"", b"<html>", {"error": None}, {"error": "text"}])
def test_every_status_is_mapped_whatever_its_body(
    body: bytes | dict[str, Any], service: VisionService
) -> None:
    client = service.client()
    for status in range(400, 600):
        service.faults.append(Reply(status, body))
        with pytest.raises(errors.CaptioningError) as caught:
            client.analyze(photo())
        other = errors.ServiceUnavailable if status >= 500 else errors.BadResponse
        assert type(caught.value) is STATUSES.get(status, other), status


def test_a_redirect_is_not_followed(service: VisionService) -> None:
    already = len(service.received)
    service.faults.append(Reply(302, headers={"Location": service.url + "/elsewhere"}))
    with pytest.raises(errors.ModelGone, match="VISION_ENDPOINT"):
        service.client().analyze(photo())
    assert len(service.received) == already + 1
    service.faults.append(Reply(302, headers={"Location": "http://["}))
    with pytest.raises(errors.ServiceDeferred):
        service.client().analyze(photo())


CODES: dict[str, type[errors.CaptioningError]] = {
    "InvalidImageFormat": errors.CorruptImage,
    "UnsupportedMediaType": errors.UnsupportedFormat,
    "NotSupportedImage": errors.ContentFiltered,
    "InvalidImageSize": errors.ImageTooLarge,
    "NotSupportedFeature": errors.ModelGone,
    "NotSupportedVisualFeature": errors.ModelGone,
    "NotSupportedLanguage": errors.BadResponse,
    "BadArgument": errors.BadResponse,
    "InvalidDetails": errors.BadResponse,
    "InvalidModel": errors.BadResponse,
    "InvalidImageUrl": errors.BadResponse,
    "Unspecified": errors.BadResponse,
    "Timeout": errors.ServiceUnavailable,
    "InternalServerError": errors.ServiceUnavailable,
    "CancelledRequest": errors.ServiceUnavailable,
    "FailedToProcess": errors.ServiceUnavailable,
    "StorageException": errors.ServiceUnavailable,
}


@pytest.mark.parametrize("shape", [refused_32, refused_40])
@pytest.mark.parametrize("code", CODES)
def test_the_inner_code_decides(code: str, shape: Any, service: VisionService) -> None:
    service.faults.append(shape(code, f"the service says {KEY}").reply)
    with pytest.raises(errors.CaptioningError) as caught:
        service.client().analyze(photo())
    assert type(caught.value) is CODES[code]
    assert "the service says" not in caught.value.message
    assert KEY not in str(caught.value)


def test_a_flat_error_body_is_read_too(service: VisionService) -> None:
    service.faults.append(Reply(400, {"code": "InvalidImageFormat", "message": "?"}))
    with pytest.raises(errors.CorruptImage):
        service.client().analyze(photo())


@pytest.mark.parametrize("api", ["4.0", "3.2"])
def test_an_image_of_the_wrong_size_is_named(api: str, service: VisionService) -> None:
    client = service.client(api=api, features=("tags",))
    with pytest.raises(errors.ImageTooSmall, match=r"49 x 300 px.*50 px"):
        client.analyze(photo(49, 300))
    with pytest.raises(errors.ImageTooSmall):
        client.analyze(rendition(b""))
    with pytest.raises(errors.ImageTooLarge):
        client.analyze(rendition(bytes(20_971_521)))


def test_a_region_without_captions_names_the_setting(service: VisionService) -> None:
    service.vision.captions = False
    with pytest.raises(errors.ModelGone, match="VISION_FEATURES"):
        service.client(features=("tags", "caption")).analyze(photo())


def test_a_wrong_key_is_refused_by_the_gateway(service: VisionService) -> None:
    with pytest.raises(errors.AuthRefused, match="VISION_KEY"):
        service.client(key="wrong").analyze(photo())


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_in_the_error(status: int, service: VisionService) -> None:
    reply = gateway(status, "later").reply
    for headers, seconds in (
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"Retry-After-Ms": "1500"}, 1.5),
    ):
        service.faults.append(Reply(status, reply.body, headers))
        with pytest.raises(errors.ServiceDeferred) as caught:
            service.client().analyze(photo())
        assert caught.value.retry_after == seconds
