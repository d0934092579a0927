"""The completion in an answer of a chat completions service, and its bill."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from captioning.domain.usage import Bill
from captioning.errors import ContentFiltered, ServiceUnavailable
from captioning.text import visible

MAX_MODEL = 100


def _count(value: Any) -> int:
    """A number of tokens. Servers send null, fractions and negative numbers: what is no count is
    0, as a budget must not grow by it."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(0, math.ceil(value)) if is_number and math.isfinite(value) else 0


def _spoken(value: Any) -> str:
    """The text of a message, which some servers send in parts."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else []
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def _object(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) else None


_Count = Annotated[int, BeforeValidator(_count)]
_Name = Annotated[str | None, BeforeValidator(_name)]


@dataclass(frozen=True)
class _Message:
    content: Annotated[str, BeforeValidator(_spoken)] = ""
    refusal: _Name = None


@dataclass(frozen=True)
class _Choice:
    message: Annotated[_Message, BeforeValidator(_object)] = field(default_factory=_Message)
    finish_reason: _Name = None


@dataclass(frozen=True)
class _Details:
    cached_tokens: _Count = 0
    reasoning_tokens: _Count = 0


_TheDetails = Annotated[_Details, BeforeValidator(_object)]


@dataclass(frozen=True)
class _Usage:
    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0
    prompt_tokens_details: _TheDetails = field(default_factory=_Details)
    completion_tokens_details: _TheDetails = field(default_factory=_Details)


@dataclass(frozen=True)
class Completion:
    """A chat completion, with the fields that are used here."""

    choices: list[_Choice]
    model: _Name = None
    usage: Annotated[_Usage, BeforeValidator(_object)] = field(default_factory=_Usage)

    @property
    def text(self) -> str:
        """What the model said; empty if it said nothing."""
        return self.choices[0].message.content

    @property
    def is_cut(self) -> bool:
        """Whether the model ran out of tokens."""
        return self.choices[0].finish_reason == "length"

    def model_name(self, default: str) -> str:
        """The service's name for the model that answered; `default` if it names none."""
        return visible.tidy(self.model or "")[:MAX_MODEL] or default

    def bill(self, default: str) -> Bill:
        """Its tokens, and the model whose prices apply: `default` if the answer names none."""
        usage = self.usage
        return Bill(
            model=self.model_name(default),
            input_tokens=usage.prompt_tokens,
            cached_tokens=usage.prompt_tokens_details.cached_tokens,
            output_tokens=usage.completion_tokens,
            reasoning_tokens=usage.completion_tokens_details.reasoning_tokens,
        )

    def raise_for_refusal(self) -> None:
        """Raises ContentFiltered if the model refused or a filter stopped it."""
        choice = self.choices[0]
        if choice.message.refusal:
            raise ContentFiltered("The caption model declined to describe this picture.")
        if choice.finish_reason == "content_filter":
            raise ContentFiltered("The service's content filter stopped the caption.")


def read_completion(body: bytes) -> Completion:
    """The completion in a response's body; ServiceUnavailable if there is none."""
    try:
        completion = _completion.validate_json(body)
    except ValidationError:
        completion = None
    if completion is None or not completion.choices:
        raise ServiceUnavailable("The caption service's answer is not a completion.")
    return completion


_completion = TypeAdapter(Completion)
