"""GET /api/usage: what all workers did and paid, day by day."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from captioning.api.messages import Request
from captioning.api.usage import UsageApi
from captioning.budget.ledger import Ledger
from captioning.budget.prices import PriceList
from captioning.budget.table import UsageTable
from captioning.domain.usage import NOTHING, Usage
from captioning.errors import BadRequest
from testing.fakes.faults import Clock
from testing.harness.storage import Storage

URL = "https://app.example/api/usage"
COUNTS = [
    *("images", "captioned", "rejected", "failed", "reused", "input_tokens", "cached_tokens"),
    *(
        "output_tokens",
        "vision_calls",
        "usd",
        "saved_usd",
        "unpriced",
        "bursts",
        "bursts_saved_usd",
        "reasoning_tokens",
    ),
]


class Office:
    """The API over a table, and the ledger that it reads."""

    def __init__(self, table: UsageTable) -> None:
        self.clock = Clock(datetime(2026, 11, 2, 10, tzinfo=UTC))
        self.ledger = Ledger(table, "a", self.clock, daily_usd=5.0)
        self.other = Ledger(table, "b", self.clock)
        self.api = UsageApi(self.ledger, PriceList.load())

    def ask(self, query: str = "") -> Any:
        """The document of an answer."""
        response = self.api.get_usage(Request(f"{URL}{query}"))
        assert response.status == 200
        assert response.headers["Content-Type"] == "application/json"
        return json.loads(response.body)

    def refused(self, query: str) -> str:
        """The code of a request that is not understood."""
        with pytest.raises(BadRequest) as caught:
            self.api.get_usage(Request(f"{URL}{query}"))
        return caught.value.reason


@pytest.fixture
def office(storage: Storage) -> Office:
    storage.account.create(f"{storage.name}usage")
    return Office(UsageTable(storage.account.table(f"{storage.name}usage")))


def test_days_total_budget_and_prices(office: Office) -> None:
    office.clock.time = datetime(2026, 10, 31, 10, tzinfo=UTC)
    office.other.add(Usage(10, 0, 5, 3, 4.0), status="failed")
    office.clock.time = datetime(2026, 11, 1, 10, tzinfo=UTC)
    office.ledger.add(Usage(100, 50, 20, 3, 0.1, reasoning_tokens=7), status="captioned")
    office.other.add(NOTHING, status="captioned", reused=True, reused_usd=0.1, burst=True)
    office.clock.time = datetime(2026, 11, 2, 10, tzinfo=UTC)
    office.ledger.add(Usage(1, 0, 1, 0, None), status="rejected")
    office.other.add(Usage(usd=0.2))
    document = office.ask("?days=3")
    assert list(document) == ["days", "total", "budget", "prices"]
    assert [list(day) for day in document["days"]] == 3 * [["day", *COUNTS]]
    assert [list(day.values()) for day in document["days"]] == [
        ["2026-11-02", 1, 0, 1, 0, 0, 1, 0, 1, 0, 0.2, 0.0, 1, 0, 0.0, 0],
        ["2026-11-01", 2, 2, 0, 0, 1, 100, 50, 20, 3, 0.1, 0.1, 0, 1, 0.1, 7],
        ["2026-10-31", 1, 0, 0, 1, 0, 10, 0, 5, 3, 4.0, 0.0, 0, 0, 0.0, 0],
    ]
    total = dict(zip(COUNTS, [4, 2, 1, 1, 1, 111, 50, 26, 6, 4.3, 0.1, 1, 1, 0.1, 7], strict=True))
    assert document["total"] == total
    assert document["budget"] == {
        "daily_usd": 5.0,
        "monthly_usd": None,
        "spent_today_usd": 0.2,
        "spent_month_usd": 0.3,  # not 0.30000000000000004
    }
    assert document["prices"] == {"date": "2026-11-28", "vision_verified": False}


def test_a_week_of_nothing_is_seven_days_of_zeros(office: Office) -> None:
    document = office.ask()
    assert [day["day"] for day in document["days"]] == [
        *("2026-11-02", "2026-11-01", "2026-10-31", "2026-10-30", "2026-10-29"),
        *("2026-10-28", "2026-10-27"),
    ]
    assert {value for day in document["days"] for value in list(day.values())[1:]} == {0}
    assert set(document["total"].values()) == {0}


@pytest.mark.parametrize(("query", "count"), [("?days=1", 1), ("?days=366&code=key", 366)])
def test_as_many_days_as_asked_for(office: Office, query: str, count: int) -> None:
    assert len(office.ask(query)["days"]) == count


@pytest.mark.parametrize(
    "value", ["0", "367", "", "-1", "1.5", "1e2", "٣", "9999", " 1", "9" * 5000]
)
def test_other_days_are_refused(office: Office, value: str) -> None:
    assert office.refused(f"?days={value}") == "bad_days"


@pytest.mark.parametrize(
    ("query", "code"), [("?day=1", "unknown_parameter"), ("?days=1&days=2", "repeated_parameter")]
)
def test_other_queries_are_refused(office: Office, query: str, code: str) -> None:
    assert office.refused(query) == code
