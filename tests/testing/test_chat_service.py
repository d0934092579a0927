"""The local chat completions service refuses what the service refuses."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from captioning.captioner.prompt import schema
from testing.services.chat import AZURE_PATH, KEY, OPENAI_PATH, ChatService
from testing.services.server import Received, Reply

JPEG = b"\xff\xd8\xff\xe0"
PNG = b"\x89PNG\r\n\x1a\n"
MAX_BYTES = 20 * 1024 * 1024


def picture(data: bytes = JPEG, kind: str = "image/jpeg", detail: str = "low") -> dict[str, Any]:
    url = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return {"type": "image_url", "image_url": {"url": url, "detail": detail}}


def asked(*parts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": "What is it?"}, *parts]
    form = {"name": "x", "strict": True, "schema": schema(("en",))}
    request = {
        "model": "gpt-5-mini",
        "messages": [{"role": "user", "content": content}],
        "response_format": {"type": "json_schema", "json_schema": form},
    }
    return request | changes


def answer(
    request: dict[str, Any] | bytes,
    service: ChatService | None = None,
    path: str = AZURE_PATH,
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, Any]]:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    headers = {"api-key": KEY} if headers is None else headers
    reply: Reply = (service or ChatService())(Received("POST", path, [], headers, body))
    assert isinstance(reply.body, dict)
    return reply.status, reply.body


def formed(change: dict[str, Any]) -> dict[str, Any]:
    wrong = schema(("en",))
    wrong["properties"]["texts"] |= change
    form = {"name": "x", "strict": True, "schema": wrong}
    return asked(response_format={"type": "json_schema", "json_schema": form})


@pytest.mark.parametrize("path", [AZURE_PATH, OPENAI_PATH])
def test_it_answers_in_the_form_asked_for(path: str) -> None:
    status, body = answer(asked(picture()), path=path, headers={"authorization": f"Bearer {KEY}"})
    assert status == 200
    said = json.loads(body["choices"][0]["message"]["content"])
    assert set(said["texts"]) == {"en"}
    assert body["usage"]["prompt_tokens"] > 2_833


@pytest.mark.parametrize(
    ("request_", "param_or_code"),
    [
        (asked(max_tokens=5), "max_tokens"),
        (asked(temperature=0), "temperature"),
        (asked(colour="red"), None),
        (asked(model="gpt-4o-mini", reasoning_effort="low"), None),
        (asked(model="gpt-4o-mini", max_tokens=1, max_completion_tokens=1), "max_tokens"),
        (asked(messages=[]), "messages"),
        (asked(messages=[{"role": "user", "content": ""}]), "messages"),
        (asked(picture(PNG)), "invalid_image_format"),
        (asked(picture(b"BM", "image/bmp")), "invalid_image_format"),
        (asked(picture(JPEG + bytes(MAX_BYTES))), "image_too_large"),
        (asked({"type": "image_url", "image_url": {"url": "https://x/"}}), "invalid_image_url"),
        (asked(picture(detail="tiny")), "messages"),
        (asked(*[picture()] * 11), "messages"),
        (formed({"minLength": 1}), "response_format"),
        (formed({"maxItems": 1}), "response_format"),
        (formed({"additionalProperties": True}), "response_format"),
        (formed({"required": []}), "response_format"),
        (b"{", None),
        (b"[1]", None),
    ],
)
def test_it_refuses(request_: dict[str, Any] | bytes, param_or_code: str | None) -> None:
    status, body = answer(request_)
    assert status == 400
    assert param_or_code in {body["error"]["param"], body["error"]["code"]}


def test_what_it_takes_at_its_limits() -> None:
    assert answer(asked(*[picture()] * 10))[0] == 200
    assert answer(asked(picture(PNG, "image/png")))[0] == 200
    assert answer(asked(model="gpt-4o-mini", temperature=0, max_tokens=5))[0] == 200


def test_who_and_what_it_knows() -> None:
    assert answer(asked(), headers={"api-key": "wrong"})[0] == 401
    assert answer(asked(), headers={})[0] == 401
    status, body = answer(asked(model="gone"))
    assert (status, body["error"]["code"]) == (404, "DeploymentNotFound")
    assert answer(asked(), path="/elsewhere")[0] == 404


def test_the_weaker_servers() -> None:
    assert answer(asked(), ChatService(structured="refused"))[0] == 400
    assert (
        answer(asked(max_completion_tokens=1), ChatService(max_completion_tokens=False))[0] == 400
    )
    _, body = answer(asked(), ChatService(structured="ignored"))
    assert "```json" in body["choices"][0]["message"]["content"]


def test_the_script_comes_first() -> None:
    service = ChatService()
    service.script.append("scripted")
    said = [answer(asked(), service)[1]["choices"][0]["message"]["content"] for _ in range(2)]
    assert said[0] == "scripted" != said[1]
