"""`reasoning_effort`: the least that a model allows, found once, and what reasoning costs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from captioning.captioner.client import OpenAICaptioner
from captioning.captioner.request import Reasoning
from captioning.images.rendition import Rendition
from testing.fakes.calls import RecordedCalls
from testing.services.chat import KEY, ChatService
from testing.services.server import Reply, WireServer

IMAGE = Rendition(b"\xff\xd8\xff\xe0" + b"picture" * 20, "image/jpeg", 64, 48, 1, (640, 480))


@pytest.fixture
def service() -> ChatService:
    return ChatService()


@pytest.fixture
def server(service: ChatService) -> Iterator[WireServer]:
    with WireServer(service) as server:
        yield server


class Asked:
    """A captioner, what it was billed, and the efforts that it has sent."""

    def __init__(
        self,
        server: WireServer,
        model: str,
        reasoning: Reasoning = "lowest",
        *,
        reasons: bool | None = None,
    ) -> None:
        self.captioner = OpenAICaptioner(
            base_url=f"{server.url}/openai/v1/",
            api_key=KEY,
            model=model,
            languages=("en",),
            reasoning=reasoning,
            reasons=reasons,
        )
        self._server = server

    def reasoned(self) -> int:
        """The tokens of reasoning that one caption is billed for."""
        calls = RecordedCalls()
        self.captioner.caption(IMAGE, None, calls)
        return sum(bill.reasoning_tokens for bill in calls.bills)

    def efforts(self) -> list[str | None]:
        """The effort in each request."""
        return [request.json().get("reasoning_effort") for request in self._server.received]


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("gpt-6-luna", ["none", "none"]),
        ("gpt-5-mini", ["none", "minimal", "minimal"]),
        ("gpt-4o-mini", ["none", None, None]),
    ],
)
def test_the_least_that_the_model_allows_is_found_once(
    server: WireServer, model: str, efforts: list[str | None]
) -> None:
    asked = Asked(server, model)
    assert [asked.reasoned(), asked.reasoned()] == [0, 0]
    assert asked.efforts() == efforts


def test_a_model_that_is_known_not_to_reason_is_not_asked(server: WireServer) -> None:
    asked = Asked(server, "gpt-4o-mini", reasons=False)
    asked.reasoned()
    assert asked.efforts() == [None]


@pytest.mark.parametrize(
    ("reasoning", "effort", "tokens"),
    [
        ("low", "low", 120),
        ("medium", "medium", 400),
        ("high", "high", 1_500),
        ("default", None, 400),
    ],
)
def test_more_reasoning_is_sent_as_it_is_set(
    server: WireServer, reasoning: Reasoning, effort: str | None, tokens: int
) -> None:
    asked = Asked(server, "gpt-6-luna", reasoning)
    assert asked.reasoned() == tokens
    assert asked.efforts() == [effort]


def test_an_effort_that_no_model_of_the_server_takes_is_left_out(
    server: WireServer, service: ChatService
) -> None:
    asked = Asked(server, "gpt-4o-mini", "high")
    asked.reasoned()
    assert asked.efforts() == ["high", None]


def test_another_refusal_changes_nothing_about_the_effort(server: WireServer) -> None:
    error = {"message": "max_completion_tokens is not known", "param": "max_completion_tokens"}
    server.faults.append(Reply(400, {"error": error}))
    asked = Asked(server, "gpt-6-luna")
    with pytest.raises(Exception, match="does not accept the request"):
        asked.reasoned()  # the fake refuses max_tokens from a model that reasons
    assert asked.efforts() == ["none", "none"]


def test_how_much_it_reasons_decides_the_answer(server: WireServer) -> None:
    levels: tuple[Reasoning, ...] = ("lowest", "low", "high", "default")
    identities = {level: Asked(server, "gpt-6-luna", level).captioner.identity for level in levels}
    assert len(set(identities.values())) == len(levels)
    known = Asked(server, "gpt-6-luna", reasons=False).captioner.identity
    assert known == identities["lowest"]
