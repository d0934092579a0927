"""What was done in a day and what it cost, as counts that add up."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Tally:
    """Images by how they ended, how many of these were reused, and what was paid; `saved_usd` is
    what the reused ones had cost, `unpriced` counts what is missing in `usd`. Of the reused, so
    many are `bursts`: they share what a near-identical frame had cost, `bursts_saved_usd`."""

    captioned: int = 0
    rejected: int = 0
    failed: int = 0
    reused: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    vision_calls: int = 0
    usd: float = 0.0
    saved_usd: float = 0.0
    unpriced: int = 0
    bursts: int = 0
    bursts_saved_usd: float = 0.0

    @property
    def images(self) -> int:
        """Images that nothing more happens to."""
        return self.captioned + self.rejected + self.failed

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(sum, zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class DayUsage:
    """What all workers did in a day (UTC)."""

    day: date
    tally: Tally


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits (None: there is none) and what all workers have spent, in dollars."""

    daily_usd: float | None
    monthly_usd: float | None
    spent_today_usd: float
    spent_month_usd: float
