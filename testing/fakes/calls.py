"""Calls that record their bills, and retry a failed call at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from captioning.domain.usage import Bill
from captioning.errors import ServiceDeferred
from captioning.resilience.calls import PlainCalls

Answer = TypeVar("Answer")


class RecordedCalls(PlainCalls):
    """Records `bills` in order. `asked` counts calls, and not attempts at them."""

    def __init__(self, attempts: int = 1) -> None:
        self.bills: list[Bill] = []
        self.asked = 0
        self._attempts = attempts

    @property
    def features(self) -> list[str]:
        """The features of all bills, one for each transaction of Vision."""
        return [feature for bill in self.bills for feature in bill.features]

    def ask(self, call: Callable[[], Answer]) -> Answer:
        self.asked += 1
        for _ in range(self._attempts - 1):
            try:
                return call()
            except ServiceDeferred:
                continue
        return call()

    def billed(self, bill: Bill) -> None:
        self.bills.append(bill)
