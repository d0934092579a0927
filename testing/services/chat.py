"""The chat completions service, locally: Azure OpenAI's v1 API, OpenAI's, and weaker servers."""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from testing.services.chat_replies import (
    Refused,
    completion,
    deployment_not_found,
    error_reply,
    unauthorized,
)
from testing.services.chat_rules import check
from testing.services.eyes import number_in
from testing.services.server import Received, Reply

AZURE_PATH = "/openai/v1/chat/completions"
OPENAI_PATH = "/v1/chat/completions"
KEY = "key-of-the-local-chat-service"
# Deployment name -> the model's name in answers.
DEPLOYMENTS = {
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-6-luna": "gpt-6-luna-2026-09-21",
}
EFFORTS = {
    "gpt-5-mini-2025-08-07": ("minimal", "low", "medium", "high"),
    "gpt-6-luna-2026-09-21": ("none", "low", "medium", "high", "xhigh"),
}
"""What `reasoning_effort` may be, by model; a model that is not here does not reason."""
REASONED = {"none": 0, "minimal": 0, "low": 120, None: 400, "medium": 400, "high": 1_500}
"""Tokens of reasoning by effort. Where it is not sent, it is medium."""
IMAGE_TOKENS = 2_833


@dataclass
class ChatService:
    """Answers for WireServer. Valid requests are first answered from `script`, in order: with the
    text of an answer, or a whole reply.

    `structured`: whether the server accepts a schema, refuses it (old servers), or ignores it and
    puts its JSON in a fence. `max_completion_tokens`: false for servers that know only
    `max_tokens`. `reasons_all_the_same`: a server that takes `reasoning_effort` and ignores it.
    `is_blind`: one that drops the pictures.
    `key`: empty for a server that requires none.
    """

    key: str = KEY
    deployments: dict[str, str] = field(default_factory=lambda: dict(DEPLOYMENTS))
    structured: Literal["strict", "refused", "ignored"] = "strict"
    max_completion_tokens: bool = True
    reasons_all_the_same: bool = False
    is_blind: bool = False
    delay: float = 0.0
    script: deque[str | Reply] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, received: Received) -> Reply:
        """The answer to one request."""
        if (received.method, received.path) not in {("POST", AZURE_PATH), ("POST", OPENAI_PATH)}:
            return error_reply(404, "Resource not found", code="404", kind=None)
        if not self._authorized(received.headers):
            return unauthorized()
        try:
            request: dict[str, Any] = dict(received.json())
        except (ValueError, TypeError):
            return error_reply(400, "We could not parse the JSON body of your request.")
        model = self.deployments.get(str(request.get("model")))
        if model is None:
            return deployment_not_found()
        try:
            self._check_dialect(request)
            check(request, model=model, efforts=EFFORTS.get(model, ()))
        except Refused as refused:
            return refused.reply
        return self._answered(request, model)

    def _answered(self, request: dict[str, Any], model: str) -> Reply:
        with self._lock:
            scripted = self.script.popleft() if self.script else None
        if isinstance(scripted, Reply):
            return scripted
        text = default_text(request, sees=not self.is_blind) if scripted is None else scripted
        if scripted is None and self.structured == "ignored":
            text = f"Here you are:\n```json\n{text}\n```"
        effort = None if self.reasons_all_the_same else request.get("reasoning_effort")
        return completion(
            text,
            model=model,
            tokens_in=tokens_of(request),
            reasoned=REASONED[effort] if model in EFFORTS else 0,
            delay=self.delay,
        )

    def _authorized(self, headers: dict[str, str]) -> bool:
        given = {headers.get("api-key"), headers.get("authorization", "").removeprefix("Bearer ")}
        return not self.key or self.key in given

    def _check_dialect(self, request: dict[str, Any]) -> None:
        kind = (request.get("response_format") or {}).get("type")
        if self.structured == "refused" and kind == "json_schema":
            message = "Invalid value: 'json_schema'. Supported values are: 'text'."
            raise Refused(message, "response_format.type", "invalid_value")
        if not self.max_completion_tokens and "max_completion_tokens" in request:
            message = "Unrecognized request argument supplied: max_completion_tokens"
            raise Refused(message, "max_completion_tokens", "unsupported_parameter")


def default_text(request: dict[str, Any], *, sees: bool = True) -> str:
    """A valid answer in every requested language, from what the request says, and the number in
    its picture."""
    subject, alt = _subject(request), _spelled_out(request)
    if sees and (number := _number(request)):
        alt = f", “{number}”"
    texts = {
        language: {
            "caption": f"Stand-in caption ({language}): {subject}.",
            "alt_text": f"Stand-in ({language}): {subject}{alt}.",
            "description": f"Longer stand-in description ({language}): {subject}.",
        }
        for language in _languages(request)
    }
    if "en" in texts:  # in no language but English are these words of its own
        texts["en"] = {
            "caption": f"A stand-in caption (en) for {subject}.",
            "alt_text": f"Stand-in (en) for {subject}{alt}.",
            "description": f"A longer stand-in description (en) for {subject}.",
        }
    return json.dumps({"decorative": False, "texts": texts}, ensure_ascii=False)


def tokens_of(request: dict[str, Any]) -> int:
    """About as many input tokens as the service would count."""
    text, images = _contents(request)
    return len(text) // 4 + IMAGE_TOKENS * images


def _languages(request: dict[str, Any]) -> list[str]:
    """The requested languages: from the schema, or from the form in the system message."""
    form = request.get("response_format")
    if form:
        return list(form["json_schema"]["schema"]["properties"]["texts"]["properties"])
    system = str(request["messages"][0]["content"])
    example, _ = json.JSONDecoder().raw_decode(system, system.index("{"))
    return list(example["texts"])


def _subject(request: dict[str, Any]) -> str:
    """The first tag of the evidence, if any."""
    for tag in _evidence(request).get("tags", ()):
        return str(tag["name"])
    return "a picture"


def _spelled_out(request: dict[str, Any]) -> str:
    """The text in the picture, if it is short enough for an alternative text."""
    text = " ".join(_evidence(request).get("text", ()))
    return f", “{text}”" if 0 < len(text) < 60 else ""


def _number(request: dict[str, Any]) -> str | None:
    """The number in the picture of the request, if there is one."""
    for message in request["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if part["type"] == "image_url":
                return number_in(base64.b64decode(part["image_url"]["url"].partition(",")[2]))
    return None


def _evidence(request: dict[str, Any]) -> dict[str, Any]:
    text, _ = _contents(request)
    _, found, rest = text.rpartition("<evidence>{")
    return dict(json.JSONDecoder().raw_decode("{" + rest)[0]) if found else {}


def _contents(request: dict[str, Any]) -> tuple[str, int]:
    """All text of the messages, and the number of images."""
    contents = [message["content"] for message in request["messages"]]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    texts = [content for content in contents if isinstance(content, str)]
    texts += [part["text"] for part in parts if part["type"] == "text"]
    return "\n".join(texts), sum(part["type"] == "image_url" for part in parts)
