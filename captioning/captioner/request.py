"""The request to a chat completions service, in the dialect that the server understands."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any, Literal

from captioning.captioner.prompt import SCHEMA_NAME, Prompt, again, question, schema
from captioning.domain.record import ImageAnalysis
from captioning.images.rendition import Rendition

Detail = Literal["low", "high", "auto"]
Reasoning = Literal["lowest", "low", "medium", "high", "default"]
Effort = Literal["none", "minimal", "low", "medium", "high"]
LOWEST: tuple[Effort, ...] = ("none", "minimal", "low")
"""Values of `reasoning_effort` of little reasoning, the least first. Models differ in which of them
they take, and refuse the others."""
Messages = list[dict[str, Any]]
MAX_SAID = 20_000
"""Characters of a faulty answer that are sent back to the model."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parts of a request that a server understands: structured output, the newer name
    `max_completion_tokens`, and `reasoning_effort`, which is not sent where `effort` is None."""

    structured: bool = True
    completion_tokens: bool = True
    effort: Effort | None = None

    def next_effort(self) -> Dialect:
        """With the next more effort, or none that is sent."""
        later = LOWEST[LOWEST.index(self.effort) + 1 :] if self.effort in LOWEST else ()
        return replace(self, effort=later[0] if later else None)


@dataclass(frozen=True, slots=True)
class Form:
    """The part of a request that is the same for every picture."""

    model: str
    languages: tuple[str, ...]
    prompt: Prompt
    detail: Detail
    max_tokens: int

    @property
    def identity(self) -> str:
        """All of its fields; of the prompt, its digest."""
        settings = f"{self.model} {self.detail} {self.max_tokens} {','.join(self.languages)}"
        return f"{settings} {self.prompt.digest(self.languages)}"

    def question(self, image: Rendition | None, evidence: ImageAnalysis | None) -> Messages:
        """The first message of the conversation, with the picture as a data URL."""
        text = question(evidence, has_image=image is not None)
        if image is None:
            return [{"role": "user", "content": text}]
        data = base64.b64encode(image.data).decode("ascii")
        url = {"url": f"data:{image.media_type};base64,{data}", "detail": self.detail}
        parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": url}]
        return [{"role": "user", "content": parts}]

    def body(self, conversation: Messages, dialect: Dialect) -> dict[str, Any]:
        """The whole request. It has no `temperature`, which reasoning models refuse."""
        system = self.prompt.system(self.languages, structured=dialect.structured)
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "system", "content": system}, *conversation],
            "max_completion_tokens" if dialect.completion_tokens else "max_tokens": self.max_tokens,
        }
        if dialect.effort:
            body["reasoning_effort"] = dialect.effort
        if dialect.structured:
            answer = {"name": SCHEMA_NAME, "strict": True, "schema": schema(self.languages)}
            body["response_format"] = {"type": "json_schema", "json_schema": answer}
        return body


def first_effort(reasoning: Reasoning, *, reasons: bool | None) -> Effort | None:
    """The `reasoning_effort` to ask a model for first; None: the parameter is not sent. A model
    that does not reason refuses it, so it is not sent where that is known (`reasons` is False)."""
    if reasoning == "default" or reasons is False:
        return None
    return LOWEST[0] if reasoning == "lowest" else reasoning


def reminder(said: str, faults: tuple[str, ...]) -> Messages:
    """The messages that follow a faulty answer: the answer itself, which the service does not
    remember, and what is wrong with it."""
    answered = [{"role": "assistant", "content": said[:MAX_SAID]}] if said else []
    return [*answered, {"role": "user", "content": again(faults)}]
