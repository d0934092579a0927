"""A budget in the simulation: the app's own ledger, over rows in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import count

from captioning.budget.ledger import Ledger, Tally
from captioning.budget.prices import PriceList
from captioning.config.definitions import SETTINGS
from captioning.domain.usage import Bill, Usage
from testing.harness.model_costs import tokens

MODEL = "gpt-4o-mini"


def usd(vision_answers: int, model_answers: int) -> float:
    """The price of answers in dollars; refused calls are free. Vision's prices are unverified."""
    [features] = [s.default for s in SETTINGS if s.name == "VISION_FEATURES"]
    given, answered = tokens(MODEL, "image+tags")
    prices = PriceList.load()
    vision = prices.usage(Bill(tuple(features.split(",")))).usd or 0.0
    model = prices.usage(Bill(model=MODEL, input_tokens=given, output_tokens=answered)).usd or 0.0
    return vision_answers * vision + model_answers * model


class Money:
    """The spending of all processes, each of which has a ledger."""

    def __init__(self, daily_usd: float, now: Callable[[], datetime]) -> None:
        self._daily_usd = daily_usd
        self._now = now
        self._rows: dict[tuple[date, str], Tally] = {}
        self._workers = count(1)
        self._prices = usd(1, 0), usd(0, 1)

    def ledger(self) -> Ledger:
        """A ledger for one process."""
        return Ledger(self, str(next(self._workers)), self._now, self._daily_usd)

    def usage(self, *, vision: bool, model: bool) -> Usage:
        """The usage of these answers."""
        return Usage(usd=vision * self._prices[0] + model * self._prices[1])

    def save(self, day: date, worker: str, tally: Tally) -> None:
        """Saves the row of a process and a day."""
        self._rows[day, worker] = tally

    def between(self, first: date, last: date) -> Iterator[tuple[date, str, Tally]]:
        """All rows of these days."""
        for (day, worker), tally in self._rows.items():
            if first <= day <= last:
                yield day, worker, tally

    @property
    def dearest_day(self) -> float:
        """The dollars spent on the most expensive day."""
        days: dict[date, float] = {}
        for (day, _), tally in self._rows.items():
            days[day] = days.get(day, 0.0) + tally.usd
        return max(days.values(), default=0.0)
