"""The request to a chat completions service, in the dialect that the server understands."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Literal

from captioning.captioner.prompt import SCHEMA_NAME, Prompt, again, question, schema
from captioning.domain.record import ImageAnalysis
from captioning.images.rendition import Rendition

Detail = Literal["low", "high", "auto"]
Messages = list[dict[str, Any]]
MAX_SAID = 20_000
"""Characters of a faulty answer that are sent back to the model."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parts of a request that a server understands: structured output, and the newer name
    `max_completion_tokens`."""

    structured: bool = True
    completion_tokens: bool = True


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
        if dialect.structured:
            answer = {"name": SCHEMA_NAME, "strict": True, "schema": schema(self.languages)}
            body["response_format"] = {"type": "json_schema", "json_schema": answer}
        return body


def reminder(said: str, faults: tuple[str, ...]) -> Messages:
    """The messages that follow a faulty answer: the answer itself, which the service does not
    remember, and what is wrong with it."""
    answered = [{"role": "assistant", "content": said[:MAX_SAID]}] if said else []
    return [*answered, {"role": "user", "content": again(faults)}]
