"""Requests that the chat completions service refuses, as documented for Azure OpenAI."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Any

from testing.services.chat_replies import Refused
from testing.services.chat_schema import check_format

MAX_IMAGES = 10
MAX_IMAGE_BYTES = 20 * 1024 * 1024
KNOWN = frozenset(
    {
        *("model", "messages", "max_completion_tokens", "max_tokens", "temperature", "top_p"),
        *("presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias"),
        *("n", "seed", "stop", "store", "stream", "user", "reasoning_effort", "verbosity"),
        *("response_format", "tools", "tool_choice", "metadata", "service_tier"),
    }
)
NOT_WHEN_REASONING = (
    "max_tokens",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
)
MAGIC = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}


def check(request: dict[str, Any], *, model: str, efforts: Sequence[str]) -> None:
    """Raises Refused for the first rule that the request breaks. `efforts` are the values of
    `reasoning_effort` that the model takes; none for one that does not reason."""
    reasoning = bool(efforts)
    for name in request.keys() - KNOWN:
        raise Refused(f"Unrecognized request argument supplied: {name}", None, None)
    _check_parameters(request, reasoning=reasoning)
    effort = request.get("reasoning_effort")
    if reasoning and effort is not None and effort not in efforts:
        raise Refused(
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with the {model} "
            f"model. Supported values are: {', '.join(repr(each) for each in efforts)}.",
            "reasoning_effort",
            "unsupported_value",
        )
    _check_messages(request.get("messages"), reasoning=reasoning)
    form = request.get("response_format")
    if form is not None and form.get("type") == "json_schema":
        check_format(form.get("json_schema") or {})


def _check_parameters(request: dict[str, Any], *, reasoning: bool) -> None:
    for name in NOT_WHEN_REASONING if reasoning else ():
        if name in request:
            instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
            raise Refused(
                f"Unsupported parameter: '{name}' is not supported with this model.{instead}",
                name,
                "unsupported_parameter",
            )
    if "reasoning_effort" in request and not reasoning:
        message = "Unrecognized request argument supplied: reasoning_effort"
        raise Refused(message, None, None)
    if {"max_tokens", "max_completion_tokens"} <= request.keys():
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is wrong."
        raise Refused(message, "max_tokens", "invalid_parameter_combination")


def _check_messages(messages: Any, *, reasoning: bool) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refused("Invalid 'messages': empty array.", "messages", "empty_array")
    roles = [message.get("role") for message in messages]
    if not {"system", "developer", "user", "assistant"}.issuperset(roles):
        raise Refused("Invalid value for a role.", "messages", "invalid_value")
    if reasoning and {"system", "developer"} <= set(roles):
        raise Refused("system and developer messages do not mix.", "messages", "invalid_value")
    images = [image for message in messages for image in _images(message)]
    if len(images) > MAX_IMAGES:
        raise Refused(f"Too many images: at most {MAX_IMAGES}.", "messages", "too_many_images")
    for image in images:
        _check_image(image)


def _images(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = message.get("content")
    if isinstance(content, str):
        if not content:
            raise Refused("Message content is empty.", "messages", "invalid_value")
        return
    if not isinstance(content, list):
        raise Refused("Invalid type for message content.", "messages", "invalid_type")
    for part in content:
        if part.get("type") == "image_url" and message["role"] == "user":
            yield part["image_url"]
        elif part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise Refused("Invalid content part.", "messages", "invalid_value")


def _check_image(image: dict[str, Any]) -> None:
    if image.get("detail", "auto") not in {"low", "high", "auto"}:
        raise Refused("Invalid value for 'detail'.", "messages", "invalid_value")
    url = re.fullmatch(r"data:([a-z/+.-]+);base64,(.*)", image.get("url", ""), re.DOTALL)
    if url is None:
        raise Refused("Failed to download image.", None, "invalid_image_url")
    try:
        data = base64.b64decode(url[2], validate=True)
    except binascii.Error:
        raise Refused("Invalid base64 image_url.", None, "invalid_base64_image") from None
    if len(data) > MAX_IMAGE_BYTES:
        raise Refused("The image is larger than 20 MB.", None, "image_too_large")
    kind = next((kind for kind, magic in MAGIC.items() if magic.match(data)), None)
    if kind is None or kind != url[1]:
        message = (
            "You uploaded an unsupported image. Please make sure your image is valid and has of "
            "one the following formats: ['png', 'jpeg', 'gif', 'webp']."
        )
        raise Refused(message, None, "invalid_image_format")
