"""OpenAICaptioner at the wire: what is sent, and what is made of the answers."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from captioning.captioner.client import OpenAICaptioner
from captioning.captioner.prompt import Prompt
from captioning.domain.record import CaptionText, ImageAnalysis, Tag, TextLine
from captioning.domain.usage import Bill
from captioning.errors import AuthRefused, BadResponse, ContentFiltered, ServiceThrottled
from captioning.images.rendition import Rendition
from testing.fakes.calls import RecordedCalls
from testing.services.chat import KEY, ChatService
from testing.services.chat_replies import completion, filtered_output, filtered_prompt, throttled
from testing.services.server import Received, Reply, WireServer

JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 20
IMAGE = Rendition(JPEG, "image/jpeg", 64, 48, 1, (640, 480))
EVIDENCE = ImageAnalysis(
    "azure", 640, 480, tags=(Tag("cat", 0.9),), text=(TextLine("SECRET SALE", (0, 0, 1, 1)),)
)
SIGN = ImageAnalysis("azure", 640, 480, text=(TextLine("OPEN LATE", (100, 100, 300, 80)),))
Make = Callable[..., OpenAICaptioner]


@pytest.fixture
def service() -> ChatService:
    return ChatService()


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[WireServer, list[ChatService]]]:
    services: list[ChatService] = []
    with WireServer(lambda received: services[-1](received)) as server:
        yield server, services


@pytest.fixture
def server(running: tuple[WireServer, list[ChatService]], service: ChatService) -> WireServer:
    server, services = running
    services.append(service)
    server.received.clear()
    return server


@pytest.fixture
def make(server: WireServer) -> Iterator[Make]:
    made: list[OpenAICaptioner] = []

    def make(**keywords: Any) -> OpenAICaptioner:
        defaults = {
            "base_url": f"{server.url}/openai/v1/",
            "api_key": KEY,
            "model": "gpt-4o-mini",
            "languages": ("en",),
        }
        made.append(OpenAICaptioner(**(defaults | keywords)))
        return made[-1]

    yield make
    for captioner in made:
        captioner.close()


def texts(caption: str = "A cat.", alt_text: str = "A cat.", **more: Any) -> str:
    text = {"caption": caption, "alt_text": alt_text, "description": "A cat on a mat."}
    return json.dumps({"decorative": False, "texts": {"en": text}} | more)


def sent(received: Received) -> dict[str, Any]:
    body: dict[str, Any] = received.json()
    return body


def test_the_request(make: Make, server: WireServer) -> None:
    make(languages=("en", "de"), max_completion_tokens=700).caption(IMAGE, EVIDENCE)
    (received,) = server.received
    body = sent(received)
    assert (received.method, received.path) == ("POST", "/openai/v1/chat/completions")
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert body.keys() == {"model", "messages", "max_completion_tokens", "response_format"}
    assert (body["model"], body["max_completion_tokens"]) == ("gpt-4o-mini", 700)
    assert body["response_format"]["json_schema"]["strict"] is True
    system, user = body["messages"]
    assert "never an instruction" in system["content"]
    assert "SECRET" not in system["content"]
    question, picture = user["content"]
    assert '"SECRET SALE"' in question["text"]
    data = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    assert picture == {"type": "image_url", "image_url": {"url": data, "detail": "low"}}


def test_without_evidence_the_picture_stands_alone(make: Make, server: WireServer) -> None:
    make(detail="high").caption(IMAGE, None)
    text, picture = sent(server.received[0])["messages"][1]["content"]
    assert "<evidence>" not in text["text"]
    assert picture["image_url"]["detail"] == "high"


def test_without_the_picture_only_text_goes_out(make: Make, server: WireServer) -> None:
    make().caption(None, EVIDENCE)
    content = sent(server.received[0])["messages"][1]["content"]
    assert isinstance(content, str)
    assert "cannot see" in content


def test_with_neither_there_is_nothing_to_ask(make: Make, server: WireServer) -> None:
    with pytest.raises(ValueError, match="neither"):
        make().caption(None, None)
    assert server.received == []


def test_the_answer(make: Make, service: ChatService) -> None:
    service.script.append(completion(texts(), tokens_in=2_900, cached=1_024, tokens_out=58))
    calls = RecordedCalls()
    made = make().caption(IMAGE, None, calls)
    assert made.texts == {"en": CaptionText("A cat.", "A cat.", "A cat on a mat.")}
    assert made.model == "gpt-4o-mini-2024-07-18"
    assert calls.bills == [Bill((), "gpt-4o-mini-2024-07-18", 2_900, 1_024, 58)]


def test_languages_come_in_their_order(make: Make) -> None:
    made = make(languages=("pt-BR", "en", "de")).caption(IMAGE, EVIDENCE)
    assert list(made.texts) == ["pt-BR", "en", "de"]


@pytest.mark.parametrize(
    ("faulty", "rule"),
    [
        (texts(alt_text="x " * 70), "en: alt_text must have at most 125 characters"),
        (texts(alt_text="Photo of a cat."), "en: alt_text must not open"),
        (texts(caption=""), "en: caption must not be empty"),
        ("no JSON", "not the JSON object"),
        ('{"decorative": false, "texts": {"de": {}}}', "not the JSON object"),
    ],
)
def test_a_faulty_answer_is_asked_for_once_more(
    make: Make, service: ChatService, server: WireServer, faulty: str, rule: str
) -> None:
    service.script.append(completion(faulty, tokens_in=100, cached=10, tokens_out=5))
    service.script.append(completion(texts("Better."), tokens_in=200, cached=20, tokens_out=7))
    calls = RecordedCalls()
    made = make().caption(IMAGE, EVIDENCE, calls)
    assert made.texts["en"].caption == "Better."
    assert [(bill.input_tokens, bill.cached_tokens) for bill in calls.bills] == [
        (100, 10),
        (200, 20),
    ]
    first, second = (sent(received)["messages"] for received in server.received)
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": faulty}
    assert rule in second[3]["content"]


def test_a_fault_that_stays_is_repaired(
    make: Make, service: ChatService, server: WireServer
) -> None:
    stubborn = texts(alt_text="An image of a very long cat. " + "It is long. " * 20)
    service.script.extend([stubborn, stubborn])
    made = make().caption(IMAGE, None)
    assert made.texts["en"].alt_text == "A very long cat."
    assert len(server.received) == 2


def test_text_in_the_picture_is_asked_for_once_more(
    make: Make, service: ChatService, server: WireServer
) -> None:
    service.script.extend([texts(alt_text="A sign."), texts(alt_text="A sign: OPEN LATE.")])
    made = make().caption(IMAGE, SIGN)
    assert (made.texts["en"].alt_text, made.note) == ("A sign: OPEN LATE.", None)
    reminded = sent(server.received[1])["messages"][3]["content"]
    assert "en: alt_text must spell out" in reminded
    assert "OPEN" not in reminded, "what is read stays in its quotation"


def test_text_that_stays_left_out_is_told_to_a_person(make: Make, service: ChatService) -> None:
    service.script.extend([texts(alt_text="A sign."), texts(alt_text="A sign.")])
    made = make().caption(IMAGE, SIGN)
    assert made.texts["en"].alt_text == "A sign.", "nothing is added that no model wrote"
    assert made.note == "The alternative text (en) leaves out text that is in the picture."


def test_without_evidence_nobody_knows_of_text(make: Make, server: WireServer) -> None:
    assert make().caption(IMAGE, None).note is None
    assert len(server.received) == 1


def test_three_languages_are_one_request(make: Make, server: WireServer) -> None:
    made = make(languages=("en", "de", "fr")).caption(IMAGE, EVIDENCE)
    assert (list(made.texts), made.note) == (["en", "de", "fr"], None)
    assert len(server.received) == 1


WORDS = {"caption": "A cat.", "alt_text": "A cat.", "description": "A cat on a mat."}
GERMAN = {
    "caption": "Eine Katze.",
    "alt_text": "Eine Katze.",
    "description": "Eine Katze auf einer Matte.",
}
FRENCH = {"caption": "Un chat.", "alt_text": "Un chat.", "description": "Un chat sur un tapis."}
EMPTY = {"caption": "", "alt_text": "", "description": ""}


def spoken(**languages: Any) -> str:
    return json.dumps({"decorative": False, "texts": languages})


@pytest.mark.parametrize("lacking", [{}, {"de": None}, {"de": EMPTY}, {"de": "Eine Katze."}])
def test_a_language_that_is_missing_is_asked_for_once_more(
    make: Make, service: ChatService, server: WireServer, lacking: dict[str, Any]
) -> None:
    service.script.extend([spoken(en=WORDS, **lacking), spoken(de=GERMAN)])
    made = make(languages=("en", "de")).caption(IMAGE, None)
    assert (list(made.texts), made.note) == (["en", "de"], None)
    assert "de: " in sent(server.received[1])["messages"][3]["content"]


@pytest.mark.parametrize("second", [spoken(en=WORDS), spoken(de=EMPTY), "no JSON", throttled()])
def test_a_language_that_stays_missing_is_noted(
    make: Make, service: ChatService, server: WireServer, second: Any
) -> None:
    service.script.extend([spoken(en=WORDS, fr=FRENCH), second])
    made = make(languages=("en", "de", "fr")).caption(IMAGE, None)
    assert list(made.texts) == ["en", "fr"]
    assert made.note == "The caption model wrote nothing in de."
    assert len(server.received) == 2


def test_a_draft_gives_way_to_the_whole_answer(make: Make, service: ChatService) -> None:
    service.script.append(f"{spoken(en=WORDS)} or rather {spoken(en=WORDS, de=GERMAN)}")
    assert list(make(languages=("en", "de")).caption(IMAGE, None).texts) == ["en", "de"]


def test_without_the_main_language_there_is_no_caption(make: Make, service: ChatService) -> None:
    service.script.extend([spoken(de=WORDS), spoken(de=WORDS)])
    with pytest.raises(BadResponse, match="twice"):
        make(languages=("en", "de")).caption(IMAGE, None)


@pytest.mark.parametrize("second", [throttled(), "no JSON", filtered_output(), texts(caption="")])
def test_a_failed_second_answer_leaves_the_first(
    make: Make, service: ChatService, second: Any
) -> None:
    service.script.extend([texts(alt_text="A cat. It sleeps."), second])
    assert make().caption(IMAGE, None).texts["en"].alt_text == "A cat."


@pytest.mark.parametrize("first", ["no JSON", texts(caption=" "), completion(None)])
def test_no_caption_twice_is_a_bad_response(
    make: Make, service: ChatService, server: WireServer, first: Any
) -> None:
    service.script.extend([first, "still none"])
    with pytest.raises(BadResponse, match="twice"):
        make().caption(IMAGE, None)
    assert len(server.received) == 2


def test_a_call_that_fails_is_made_again_alone(
    make: Make, service: ChatService, server: WireServer
) -> None:
    broken = Reply(200, b'{"choices": [{"mess', {"Content-Type": "application/json"})
    service.script.extend(["no JSON", throttled(), broken, texts("Better.")])
    calls = RecordedCalls(attempts=3)
    assert make().caption(IMAGE, None, calls).texts["en"].caption == "Better."
    assert calls.asked == len(calls.bills) == 2
    assert [len(sent(received)["messages"]) for received in server.received] == [2, 4, 4, 4]


def test_an_error_after_nothing_usable_is_raised(make: Make, service: ChatService) -> None:
    service.script.extend(["no JSON", throttled()])
    with pytest.raises(ServiceThrottled):
        make().caption(IMAGE, None)


def test_a_decorative_picture(make: Make, service: ChatService, server: WireServer) -> None:
    service.script.append(texts("A divider.", "", decorative=True))
    made = make().caption(IMAGE, None)
    assert made.decorative
    assert made.texts["en"].alt_text == ""
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "reply",
    [filtered_prompt(), filtered_output(), completion(None, refusal="I'm sorry, I can't.")],
)
def test_a_filter_or_refusal_rejects_the_image(
    make: Make, service: ChatService, server: WireServer, reply: Any
) -> None:
    service.script.append(reply)
    calls = RecordedCalls()
    with pytest.raises(ContentFiltered) as raised:
        make().caption(IMAGE, EVIDENCE, calls)
    assert "sorry" not in raised.value.message
    assert len(server.received) == 1
    assert len(calls.bills) == (reply.status == 200), "an answer is paid for, whatever its end"


def test_an_answer_cut_off_says_what_to_do(make: Make, service: ChatService) -> None:
    service.script.append(completion("", finish="length", tokens_out=700))
    calls = RecordedCalls()
    with pytest.raises(BadResponse, match=r"700 output tokens.*CAPTION_MAX_TOKENS"):
        make(max_completion_tokens=700).caption(IMAGE, None, calls)
    assert [bill.output_tokens for bill in calls.bills] == [700]


def test_an_answer_that_names_no_model_and_counts_nothing_is_billed_to_the_deployment(
    make: Make, service: ChatService
) -> None:
    message = {"role": "assistant", "content": texts()}
    service.script.append(Reply(200, {"choices": [{"message": message}]}))
    calls = RecordedCalls()
    make().caption(IMAGE, None, calls)
    assert calls.bills == [Bill(model="gpt-4o-mini")]


def test_a_model_that_reasons_takes_the_same_request(make: Make) -> None:
    assert make(model="gpt-5-mini").caption(IMAGE, EVIDENCE).model == "gpt-5-mini-2025-08-07"


def test_a_server_without_structured_output_is_asked_in_words_from_then_on(
    make: Make, service: ChatService, server: WireServer
) -> None:
    service.structured, service.max_completion_tokens = "refused", False
    captioner = make(languages=("en", "de"))
    for _ in range(2):
        assert list(captioner.caption(IMAGE, EVIDENCE).texts) == ["en", "de"]
    bodies = [sent(received) for received in server.received]
    assert ["response_format" in body for body in bodies] == [True, False, False, False]
    assert ["max_completion_tokens" in body for body in bodies] == [True, True, False, False]
    assert bodies[-1]["max_tokens"] == 3_000
    assert "one JSON object" in bodies[-1]["messages"][0]["content"]


def test_fenced_json_is_read(make: Make, service: ChatService, server: WireServer) -> None:
    service.structured = "ignored"
    assert "cat" in make().caption(IMAGE, EVIDENCE).texts["en"].caption
    service.script.append(f"<think>{{maybe}} {{}}</think>\n{texts()}\n{{")
    assert make().caption(IMAGE, EVIDENCE).texts["en"].caption == "A cat."
    assert len(server.received) == 2


def test_an_openai_compatible_server_without_a_key(make: Make, server: WireServer) -> None:
    with WireServer(ChatService(key="", deployments={"llava": "llava:7b"})) as local:
        captioner = make(base_url=f"{local.url}/v1", api_key="", model="llava", provider="openai")
        assert captioner.caption(IMAGE, EVIDENCE).model == "llava:7b"
        assert "authorization" not in local.received[0].headers
        assert local.received[0].path == "/v1/chat/completions"


def test_a_token_is_asked_for_each_call(make: Make, server: WireServer) -> None:
    tokens = iter([KEY, "expired"])
    captioner = make(api_key=lambda: next(tokens))
    captioner.caption(IMAGE, None)
    with pytest.raises(AuthRefused, match="AZURE_OPENAI_API_KEY"):
        captioner.caption(IMAGE, None)
    assert server.received[1].headers["authorization"] == "Bearer expired"


@pytest.mark.parametrize("token", ["", "line\nbreak", "schlüssel"])
def test_what_cannot_be_a_token_is_not_sent(make: Make, server: WireServer, token: str) -> None:
    with pytest.raises(AuthRefused):
        make(api_key=lambda: token).caption(IMAGE, None)
    assert server.received == []


def test_what_the_token_provider_raises_passes_through(make: Make) -> None:
    error = AuthRefused("no identity")

    def provider() -> str:
        raise error

    with pytest.raises(AuthRefused) as raised:
        make(api_key=provider).caption(IMAGE, None)
    assert raised.value is error


@pytest.mark.parametrize(
    "url",
    ["http://example.com/openai/v1/", "ftp://x/", "https://u:p@x/", "x", "http://127.0.0.1.x"],
)
def test_a_key_goes_over_https_or_loopback_only(url: str) -> None:
    with pytest.raises(ValueError, match="AZURE_OPENAI_ENDPOINT"):
        OpenAICaptioner(base_url=url, api_key=KEY, model="m", languages=("en",))


@pytest.mark.parametrize("url", ["https://x.openai.azure.com/openai/v1/", "http://localhost:11434"])
def test_such_addresses_are_taken(url: str) -> None:
    OpenAICaptioner(base_url=url, api_key=KEY, model="m", languages=("en",)).close()


def test_a_language_is_needed(make: Make) -> None:
    with pytest.raises(ValueError, match="CAPTION_LANGUAGES"):
        make(languages=())


def test_the_environment_changes_nothing_that_is_sent(
    make: Make, server: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make().caption(IMAGE, EVIDENCE)
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", f"environment-{name}")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Custom: environment\nAuthorization: Bearer env")
    monkeypatch.setenv("OPENAI_API_VERSION", "environment")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    make().caption(IMAGE, EVIDENCE)
    first, second = server.received
    assert first.headers.keys() == second.headers.keys()
    differing = {name for name, value in first.headers.items() if second.headers[name] != value}
    assert differing <= {"host", "idempotency-key"}
    assert first.body == second.body


def test_the_identity_is_what_decides_the_answer(make: Make) -> None:
    different = [
        make(),
        make(model="gpt-5-mini"),
        make(languages=("de",)),
        make(detail="high"),
        make(prompt=Prompt("Be brief.")),
        make(max_completion_tokens=10),
        make(provider="openai"),
    ]
    assert len({captioner.identity for captioner in different}) == len(different)
    assert make(api_key="other", read_timeout=1.0).identity == make().identity


def test_nothing_of_picture_prompt_answer_or_key_is_logged(
    make: Make, service: ChatService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.script.extend([texts("A hush-hush cat."), filtered_prompt()])
    captioner = make()
    captioner.caption(IMAGE, EVIDENCE)
    with pytest.raises(ContentFiltered):
        captioner.caption(IMAGE, EVIDENCE)
    logged = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert logged
    for secret in (KEY, "SECRET", "hush", base64.b64encode(JPEG).decode()[:40], "You write"):
        assert secret not in logged
