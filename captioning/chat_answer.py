"""What a chat completions service answered: the completion, and the texts in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from captioning import caption_text
from captioning.errors import BadResponse, ContentFiltered, ServiceUnavailable
from captioning.models import CaptionText
from captioning.usage import Bill

MAX_MODEL = 100
_MAX_OBJECTS = 20


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
class _Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


@dataclass(frozen=True)
class Completion:
    """A chat completion, as far as it is used here."""

    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None

    @property
    def text(self) -> str:
        """What the model said; empty when it said nothing."""
        return self.choices[0].message.content or ""

    def model_name(self, default: str) -> str:
        """The model that answered, by the service's own name for it."""
        return caption_text.tidy(self.model or "")[:MAX_MODEL] or default

    def bill(self, default: str) -> Bill:
        """Its tokens, and the model that they are priced by: `default` where none is named."""
        usage = self.usage or _Usage()
        return Bill(
            model=self.model_name(default),
            input_tokens=usage.prompt_tokens,
            cached_tokens=(usage.prompt_tokens_details or _Details()).cached_tokens or 0,
            output_tokens=usage.completion_tokens,
        )

    def raise_for_end(self, limit: int) -> None:
        """An error when the model refused, was stopped by a filter, or ran out of tokens."""
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


@dataclass(frozen=True)
class Answer:
    """The texts of a completion by language, tidied."""

    decorative: bool
    texts: dict[str, CaptionText] = field(repr=False)

    @cached_property
    def faults(self) -> tuple[str, ...]:
        """The rules it breaks, with the language of the text that does."""
        return tuple(
            f"{language}: {fault}"
            for language, text in self.texts.items()
            for fault in caption_text.faults(text, decorative=self.decorative)
        )

    @property
    def usable(self) -> bool:
        """Whether it can be mended without another question."""
        return all(caption_text.has_words(text.caption) for text in self.texts.values())

    def mended(self) -> dict[str, CaptionText]:
        """The texts as they are kept."""
        return {
            language: caption_text.mended(text, decorative=self.decorative)
            for language, text in self.texts.items()
        }


def read_completion(body: bytes) -> Completion:
    """The completion in a response; ServiceUnavailable when the body holds none."""
    try:
        completion = _completion.validate_json(body)
    except ValidationError:
        completion = None
    if completion is None or not completion.choices:
        raise ServiceUnavailable("The caption service answered with something else than an answer.")
    return completion


def read_answer(text: str, languages: tuple[str, ...]) -> Answer | None:
    """The first JSON object in a text that answers the question; code fences do not matter."""
    for candidate in _objects(text):
        try:
            found = _answer.validate_python(candidate)
        except ValidationError:
            continue
        if all(language in found.texts for language in languages):
            texts = {language: _tidied(found.texts[language]) for language in languages}
            return Answer(found.decorative, texts)
    return None


def _tidied(text: CaptionText) -> CaptionText:
    return CaptionText(
        caption_text.tidy(text.caption),
        caption_text.tidy(text.alt_text),
        caption_text.tidy(text.description),
    )


def _objects(text: str) -> Iterator[Any]:
    """JSON values that start with a brace, in order; not those inside another one."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    for _ in range(_MAX_OBJECTS):
        if start < 0:
            return
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield value
        start = text.find("{", end)


_completion = TypeAdapter(Completion)
_answer = TypeAdapter(Answer)
