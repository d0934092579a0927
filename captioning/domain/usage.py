"""What services charge: the bill of an answer, and the sum of bills."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bill:
    """What one answer is charged for: Vision's transactions by feature, or a model's tokens.

    `model` is the name that the service reports; cached tokens are part of the input tokens, and
    what the model spent on reasoning is part of the output tokens.
    """

    features: tuple[str, ...] = ()
    model: str | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What was charged: tokens, Vision transactions, US dollars (None if a price is unknown)."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    vision_calls: int = 0
    usd: float | None = None
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        known = self.usd is not None and other.usd is not None
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_tokens + other.cached_tokens,
            self.output_tokens + other.output_tokens,
            self.vision_calls + other.vision_calls,
            (self.usd or 0.0) + (other.usd or 0.0) if known else None,
            self.reasoning_tokens + other.reasoning_tokens,
        )


NOTHING = Usage(usd=0.0)
"""Nothing was charged."""
