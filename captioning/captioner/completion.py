"""The completion in an answer of a chat completions service, and its bill."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from captioning.domain.usage import Bill
from captioning.errors import BadResponse, ContentFiltered, ServiceUnavailable
from captioning.text import visible

MAX_MODEL = 100


@dataclass(frozen=True)
class _Message:
    content: str | None = None
    refusal: str | None = None


@dataclass(frozen=True)
class _Choice:
    message: _Message
    finish_reason: str | None = None


@dataclass(frozen=True)
class _Details:
    cached_tokens: int | None = None


@dataclass(frozen=True)
class _OutputDetails:
    reasoning_tokens: int | None = None


@dataclass(frozen=True)
class _Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _OutputDetails | None = None


@dataclass(frozen=True)
class Completion:
    """A chat completion, with the fields that are used here."""

    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None

    @property
    def text(self) -> str:
        """What the model said; empty if it said nothing."""
        return self.choices[0].message.content or ""

    def model_name(self, default: str) -> str:
        """The service's name for the model that answered; `default` if it names none."""
        return visible.tidy(self.model or "")[:MAX_MODEL] or default

    def bill(self, default: str) -> Bill:
        """Its tokens, and the model whose prices apply: `default` if the answer names none."""
        usage = self.usage or _Usage()
        details = usage.completion_tokens_details or _OutputDetails()
        return Bill(
            model=self.model_name(default),
            input_tokens=usage.prompt_tokens,
            cached_tokens=(usage.prompt_tokens_details or _Details()).cached_tokens or 0,
            output_tokens=usage.completion_tokens,
            reasoning_tokens=details.reasoning_tokens or 0,
        )

    def raise_for_end(self, limit: int) -> None:
        """Raises ContentFiltered if the model refused or a filter stopped it, and BadResponse if it
        ran out of tokens."""
        choice = self.choices[0]
        if choice.message.refusal:
            raise ContentFiltered("The caption model declined to describe this picture.")
        if choice.finish_reason == "content_filter":
            raise ContentFiltered("The service's content filter stopped the caption.")
        if choice.finish_reason == "length":
            raise BadResponse(
                f"The caption did not fit into {limit} output tokens, of which a reasoning model "
                "spends some unseen. Raise CAPTION_MAX_TOKENS, or use a CAPTION_MODEL that "
                "reasons less."
            )


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
