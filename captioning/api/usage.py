"""`/api/usage`: images and costs, day by day."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any, Protocol

from captioning.api.messages import Request, Response, json_response, whole_number
from captioning.budget.ledger import Budget, DayUsage, Tally

DEFAULT_DAYS = 7
MAX_DAYS = 366
_DECIMALS = 6


class Spending(Protocol):
    """Reads the usage of all workers."""

    def days(self, count: int) -> list[DayUsage]:
        """The last days up to today, newest first."""

    def spent(self) -> Budget:
        """The limits, and the dollars that count against them."""


class Prices(Protocol):
    """The price list."""

    @property
    def date(self) -> date:
        """The day that the prices are of."""

    @property
    def vision_verified(self) -> bool:
        """Whether Vision's prices have been compared with the provider's price sheet."""


class UsageApi:
    """Usage over all workers; safe to share between threads."""

    def __init__(self, ledger: Spending, prices: Prices) -> None:
        self._ledger = ledger
        self._prices = prices

    def get_usage(self, request: Request) -> Response:
        """GET /api/usage?days=: the last days, newest first, their sum, budget and prices."""
        query = request.query(frozenset({"days"}))
        days = self._ledger.days(whole_number(query, "days", DEFAULT_DAYS, MAX_DAYS))
        total = sum((day.tally for day in days), Tally())
        return json_response(
            {
                "days": [{"day": day.day.isoformat(), **_counts(day.tally)} for day in days],
                "total": _counts(total),
                "budget": _rounded(asdict(self._ledger.spent())),
                "prices": {
                    "date": self._prices.date.isoformat(),
                    "vision_verified": self._prices.vision_verified,
                },
            }
        )


def _counts(tally: Tally) -> dict[str, Any]:
    return _rounded({"images": tally.images, **asdict(tally)})


def _rounded(document: dict[str, Any]) -> dict[str, Any]:
    """Dollars are rounded to a millionth: further digits are floating-point noise."""
    return {
        name: round(value, _DECIMALS) if isinstance(value, float) else value
        for name, value in document.items()
    }
