"""Whether the model reasons although it was told not to: that is billed as output."""

from __future__ import annotations

from collections.abc import Callable

from captioning.budget.ledger import DayUsage

FEWEST = 5
"""Images of a day that say something about the model."""
MOST = 20
"""Tokens of reasoning for an image that are none to speak of."""


def unwanted_reasoning(days: Callable[[int], list[DayUsage]]) -> str | None:
    """What today's images cost in reasoning and what to do, if the model reasons; None otherwise.
    `days` gives the usage of the last days. Raises StorageUnavailable."""
    [today] = days(1)
    paid = today.tally.captioned - today.tally.reused
    if paid < FEWEST or today.tally.reasoning_tokens <= MOST * paid:
        return None
    return (
        f"The model spends {today.tally.reasoning_tokens // paid:,} tokens an image on reasoning, "
        "although CAPTION_REASONING is lowest. Choose a CAPTION_MODEL that can do without, or set "
        "CAPTION_REASONING to default if this is wanted."
    )
