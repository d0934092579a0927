"""The usage route: what was done and paid, day by day. It knows no host."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any, Protocol

from captioning.api.messages import Request, Response, json_response
from captioning.budget.ledger import Budget, DayUsage, Tally
from captioning.errors import BadRequest

DEFAULT_DAYS = 7
MAX_DAYS = 366
_DECIMALS = 6


class Spending(Protocol):
    """Where usage is added up."""

    def days(self, count: int) -> list[DayUsage]: ...
    def spent(self) -> Budget: ...


class Prices(Protocol):
    """How old the prices are, and whether somebody compared Vision's with the provider's."""

    @property
    def date(self) -> date: ...
    @property
    def vision_verified(self) -> bool: ...


class UsageApi:
    """Usage over all workers; safe to share between threads."""

    def __init__(self, ledger: Spending, prices: Prices) -> None:
        self._ledger = ledger
        self._prices = prices

    def get_usage(self, request: Request) -> Response:
        """GET /api/usage?days=: the last days, newest first, their sum, budget and prices."""
        query = request.query(frozenset({"days"}))
        days = self._ledger.days(_count(query.get("days", str(DEFAULT_DAYS))))
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
    """Dollars to a millionth: the rest is floating point."""
    return {
        name: round(value, _DECIMALS) if isinstance(value, float) else value
        for name, value in document.items()
    }


def _count(value: str) -> int:
    if value.isascii() and value.isdigit() and len(value) < 4 and 1 <= int(value) <= MAX_DAYS:
        return int(value)
    raise BadRequest("bad_days", f"days must be a whole number from 1 to {MAX_DAYS}.")
