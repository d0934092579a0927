"""Replies of the chat completions service: answers, filters and errors, in Azure's shapes."""

from __future__ import annotations

from typing import Any

from testing.services.server import Reply

SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "sexual", "violence")}


class Refused(Exception):
    """The request breaks a rule."""

    def __init__(self, message: str, param: str | None, code: str | None) -> None:
        super().__init__(message)
        self.reply = error_reply(400, message, param=param, code=code)


def error_reply(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    kind: str | None = "invalid_request_error",
    headers: dict[str, str] | None = None,
    extra: dict[str, Any] | None = None,
) -> Reply:
    """An error in the service's shape."""
    error = {"message": message, "type": kind, "param": param, "code": code, **(extra or {})}
    return Reply(status, {"error": error}, headers or {})


def completion(
    text: str | None,
    *,
    model: str = "gpt-4o-mini-2024-07-18",
    finish: str = "stop",
    refusal: str | None = None,
    tokens_in: int = 3_000,
    cached: int = 0,
    tokens_out: int | None = None,
    reasoned: int = 0,
    delay: float = 0.0,
) -> Reply:
    """A 200 with everything that Azure adds to an answer."""
    out = max(1, len(text or "") // 4) if tokens_out is None else tokens_out
    out += reasoned
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text,
        "refusal": refusal,
        "annotations": [],
    }
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    body = {
        "id": "chatcmpl-local",
        "object": "chat.completion",
        "created": 1_764_000_000,
        "model": model,
        "system_fingerprint": "fp_local",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
        "choices": [{**choice, "content_filter_results": SAFE}],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": out,
            "total_tokens": tokens_in + out,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": reasoned, "audio_tokens": 0},
        },
    }
    return Reply(200, body, delay=delay)


def filtered_output() -> Reply:
    """The content filter stopped the answer."""
    return completion(None, finish="content_filter")


def filtered_prompt() -> Reply:
    """The content filter refused the prompt or the image."""
    judged = {**SAFE, "violence": {"filtered": True, "severity": "medium"}}
    judged["jailbreak"] = {"filtered": False, "detected": False}
    message = (
        "The response was filtered due to the prompt triggering Azure OpenAI's content "
        "management policy."
    )
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": judged}
    extra: dict[str, Any] = {"status": 400, "innererror": inner}
    return error_reply(400, message, param="prompt", code="content_filter", kind=None, extra=extra)


def throttled(**headers: str) -> Reply:
    """A 429; headers by name with underscores, such as retry_after_ms."""
    message = "Requests to the ChatCompletions_Create Operation have exceeded token rate limit."
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_reply(429, message, code="429", kind=None, headers=named)


def unauthorized() -> Reply:
    """The key is missing or wrong."""
    return error_reply(401, "Access denied due to invalid subscription key.", code="401", kind=None)


def deployment_not_found() -> Reply:
    """There is no such deployment."""
    message = "The API deployment for this resource does not exist."
    return error_reply(404, message, code="DeploymentNotFound", kind=None)
