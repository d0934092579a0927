"""Everything `openai`, `httpx2` and the service can do wrong ends in our error tree."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest

from captioning import errors
from captioning.captioner.client import OpenAICaptioner
from captioning.images.rendition import Rendition
from testing.services.chat import KEY, ChatService
from testing.services.chat_replies import completion, error_reply, throttled
from testing.services.server import Reply, WireServer

IMAGE = Rendition(b"\xff\xd8\xff\xe0picture", "image/jpeg", 64, 48, 1, (640, 480))
PRIVATE = "what the service says of the picture"


@pytest.fixture(scope="module")
def server() -> Iterator[WireServer]:
    with WireServer(ChatService()) as running:
        yield running


@pytest.fixture(scope="module")
def captioner(server: WireServer) -> Iterator[OpenAICaptioner]:
    made = captioner_at(server.url)
    yield made
    made.close()


def captioner_at(url: str, model: str = "gpt-4o-mini", **keywords: Any) -> OpenAICaptioner:
    return OpenAICaptioner(
        base_url=f"{url}/openai/v1/", api_key=KEY, model=model, languages=("en",), **keywords
    )


def failure(captioner: OpenAICaptioner) -> errors.CaptioningError:
    with pytest.raises(errors.CaptioningError) as raised:
        captioner.caption(IMAGE, None)
    error = raised.value
    assert PRIVATE not in error.message
    assert KEY not in error.message
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__
    return error


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


def made(kind: type[BaseException]) -> BaseException:
    """An instance of a library's exception class, whatever its signature."""
    request = httpx2.Request("POST", "https://x/")
    values: dict[str, Any] = {
        "message": PRIVATE,
        "request": request,
        "response": httpx2.Response(getattr(kind, "status_code", 418), request=request),
        "body": {"code": PRIVATE, "message": PRIVATE},
        "completion": openai.types.chat.ChatCompletion.model_construct(usage=None),
        "unsent_messages": [],
        "symbol": PRIVATE,
    }
    try:
        wanted = list(inspect.signature(kind).parameters)
    except ValueError:  # a class without a constructor of its own
        wanted = []
    named = {name: values[name] for name in wanted if name in values}
    return kind(**named) if named else kind()


classes = filter(inspect.isclass, vars(httpx2).values())
CLASSES = sorted(
    {
        *subclasses(openai.OpenAIError),
        *(
            item
            for item in vars(httpx2).values()
            if inspect.isclass(item) and issubclass(item, Exception)
        ),
        *(OSError, ConnectionResetError, TimeoutError),
    },
    key=lambda kind: f"{kind.__module__}.{kind.__qualname__}",
)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__qualname__)
def test_every_exception_class_of_the_libraries(kind: type[BaseException]) -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise made(kind)

    with httpx2.Client(transport=httpx2.MockTransport(fail)) as client:
        error = failure(captioner_at("https://x", http_client=client))
    if issubclass(kind, httpx2.TimeoutException | openai.APITimeoutError):
        assert isinstance(error, errors.ServiceTimeout)
    elif issubclass(kind, httpx2.TransportError):
        assert isinstance(error, errors.ServiceUnavailable)


def expected(status: int) -> type[errors.CaptioningError]:
    named: dict[int, type[errors.CaptioningError]] = {
        401: errors.AuthRefused,
        402: errors.ServiceThrottled,
        403: errors.AuthRefused,
        404: errors.ModelGone,
        408: errors.ServiceTimeout,
        409: errors.ServiceUnavailable,
        410: errors.ModelGone,
        429: errors.ServiceThrottled,
        499: errors.ServiceTimeout,
    }
    return named.get(status, errors.BadResponse if status < 500 else errors.ServiceUnavailable)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": PRIVATE, "code": None}},
        {"error": PRIVATE},
        {"detail": [{"msg": PRIVATE}]},
        b"<html>" + PRIVATE.encode(),
        b"",
        b"[]",
        b"\xff\xfe",
    ],
    ids=["azure", "string", "fastapi", "html", "empty", "list", "binary"],
)
def test_every_status(
    server: WireServer, captioner: OpenAICaptioner, body: bytes | dict[str, Any]
) -> None:
    for status in range(400, 600):
        before = len(server.received)
        server.faults.append(Reply(status, body))
        assert type(failure(captioner)) is expected(status), status
        assert len(server.received) == before + 1, "openai's own retries are off"


def test_a_redirect_is_not_followed(server: WireServer, captioner: OpenAICaptioner) -> None:
    before = len(server.received)
    for status in (301, 302, 303, 307, 308):
        server.faults.append(Reply(status, b"", {"Location": f"{server.url}/elsewhere"}))
        assert "AZURE_OPENAI_ENDPOINT" in failure(captioner).message
    assert len(server.received) == before + 5


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("content_filter", "", errors.ContentFiltered),
        ("content_policy_violation", "", errors.ContentFiltered),
        (None, "code: ResponsibleAIPolicyViolation", errors.ContentFiltered),
        ("invalid_image_format", "", errors.UnsupportedFormat),
        (None, "You uploaded an unsupported image.", errors.UnsupportedFormat),
        ("invalid_image", "", errors.CorruptImage),
        (None, "Invalid image data.", errors.CorruptImage),
        ("model_not_found", "", errors.ModelGone),
        ("DeploymentNotFound", "", errors.ModelGone),
        ("context_length_exceeded", "", errors.BadResponse),
        ("data_inspection_failed", "", errors.ContentFiltered),
        ("invalid_request_error", "Azure's content management policy", errors.ContentFiltered),
        ("no_db_connection", "", errors.AuthRefused),
        (None, "image input is not supported - provide the mmproj", errors.ModelGone),
        ("content_filter", "response_format max_completion_tokens", errors.ContentFiltered),
    ],
)
def test_what_a_400_means(
    server: WireServer, captioner: OpenAICaptioner, code: str | None, message: str, kind: type
) -> None:
    server.faults.append(error_reply(400, f"{PRIVATE} {message}", code=code))
    assert type(failure(captioner)) is kind


def test_a_moderation_of_one_picture_is_no_missing_role(
    server: WireServer, captioner: OpenAICaptioner
) -> None:
    """Routers answer 403 for what a picture shows: no key is wrong then."""
    error = {"message": f"{PRIVATE}: your input was flagged", "code": 403, "metadata": {}}
    server.faults.append(Reply(403, {"error": error}))
    assert type(failure(captioner)) is errors.ContentFiltered


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (413, ""),
        (400, "the request exceeds the available context size"),
        (400, "maximum context length is 8192 tokens"),
    ],
)
def test_a_request_that_is_too_long_says_so(
    server: WireServer, captioner: OpenAICaptioner, status: int, message: str
) -> None:
    server.faults.append(error_reply(status, message))
    assert "longer than the model takes" in failure(captioner).message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "response_format json_schema not supported"),
        (400, "This model does not support structured outputs"),
        (400, "failed to parse grammar"),
    ],
)
def test_a_server_that_cannot_force_a_form_is_asked_in_words(
    server: WireServer, status: int, message: str
) -> None:
    before = len(server.received)
    server.faults.append(error_reply(status, message))
    captioner_at(server.url).caption(IMAGE, None)
    assert "response_format" not in server.received[before + 1].json()


def test_a_gateways_word_on_when_to_come_again_counts(
    server: WireServer, captioner: OpenAICaptioner
) -> None:
    refused = throttled()
    refused.headers["llm_provider-retry-after"] = "7"
    server.faults.append(refused)
    error = failure(captioner)
    assert isinstance(error, errors.ServiceThrottled)
    assert error.retry_after == 7.0


def test_each_dialect_is_left_once(server: WireServer, captioner: OpenAICaptioner) -> None:
    before = len(server.received)
    refused = error_reply(400, "response_format, max_completion_tokens", code="unsupported")
    server.faults.extend([refused] * 3)
    assert isinstance(failure(captioner), errors.BadResponse)
    assert len(server.received) == before + 3
    captioner.caption(IMAGE, None)
    assert "response_format" in server.received[-1].json(), "only what worked is remembered"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>busy</html>"),
        Reply(200, b""),
        Reply(200, b"{}", {"Content-Type": "application/json"}),
        Reply(200, b"{", {"Content-Type": "application/json"}),
        Reply(200, b"\xff\xff", {"Content-Type": "application/json"}),
        Reply(200, {"choices": []}),
        Reply(200, {"error": {"message": PRIVATE}}),
        Reply(200, completion("{}").body, cut=True),
        Reply(200, b"not gzip", {"Content-Encoding": "gzip"}),
        Reply(reset=True),
    ],
)
def test_an_answer_that_is_none(
    server: WireServer, captioner: OpenAICaptioner, reply: Reply
) -> None:
    server.faults.append(reply)
    assert isinstance(failure(captioner), errors.ServiceUnavailable)


def test_a_slow_answer_times_out(server: WireServer) -> None:
    server.faults.append(Reply(delay=60.0))
    impatient = captioner_at(server.url, read_timeout=0.5)
    assert isinstance(failure(impatient), errors.ServiceTimeout)
    impatient.close()


def test_nobody_at_home() -> None:
    captioner = captioner_at("http://127.0.0.1:9")
    assert "ConnectError" in failure(captioner).message
    captioner.close()


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        ("azure", ("AZURE_OPENAI_ENDPOINT", "Cognitive Services OpenAI User")),
        ("openai", ("OPENAI_BASE_URL", "OPENAI_API_KEY")),
    ],
)
def test_messages_name_what_to_mend(
    server: WireServer, provider: Any, names: tuple[str, str]
) -> None:
    captioner = captioner_at(server.url, model="gone", provider=provider)
    said = failure(captioner).message
    assert "'gone'" in said
    assert "CAPTION_MODEL" in said
    server.faults.append(Reply(401))
    said += failure(captioner).message
    assert all(name in said for name in names)
    captioner.close()


def test_retry_after_is_in_the_error(server: WireServer, captioner: OpenAICaptioner) -> None:
    server.faults.extend([throttled(retry_after_ms="1500"), Reply(503, b"", {"Retry-After": "7"})])
    waits = [failure(captioner), failure(captioner)]
    assert [getattr(error, "retry_after", None) for error in waits] == [1.5, 7.0]


def test_mistakes_of_ours_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise ZeroDivisionError

    mistake: Callable[[httpx2.Request], httpx2.Response] = fail
    with httpx2.Client(transport=httpx2.MockTransport(mistake)) as client:
        captioner = captioner_at("https://x", http_client=client)
        with pytest.raises(ZeroDivisionError):
            captioner.caption(IMAGE, None)
