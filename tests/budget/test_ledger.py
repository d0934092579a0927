"""The ledger on real Table Storage: nothing that was paid is forgotten, and a budget holds."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta, timezone
from threading import Event
from typing import Any

import pytest
from azure.data.tables import TableServiceClient

from captioning.budget.ledger import EARLIER_DAYS, DayUsage, Ledger, Tally
from captioning.budget.table import UsageTable
from captioning.domain.record import Status
from captioning.domain.usage import NOTHING, Usage
from captioning.errors import BudgetSpent, StorageUnavailable
from testing.fakes.faults import Clock
from testing.harness.storage import Storage
from testing.harness.waiting import HUNG_SECONDS, eventually

CENT = Usage(usd=0.01)
TODAY = date(2026, 11, 22)
FULL = Tally(1, 2, 3, 4, 5_000_000_000, 6_000_000_000, 7_000_000_000, 8, 9.0, 10.5, 11)
MakeLedger = Callable[..., Ledger]


class Watched:
    """The table, with its calls noted; a write waits for `open` and fails when `broken`."""

    def __init__(self, table: UsageTable) -> None:
        self._table = table
        self.writes: list[tuple[date, Tally]] = []
        self.reads: list[tuple[date, date]] = []
        self.writing, self.open, self.broken = Event(), Event(), False
        self.open.set()

    def save(self, day: date, worker: str, tally: Tally) -> None:
        self.writing.set()
        assert self.open.wait(HUNG_SECONDS)
        self.writes.append((day, tally))
        if self.broken:
            raise StorageUnavailable("storage answered 503 (in a test)")
        self._table.save(day, worker, tally)

    def between(self, first: date, last: date) -> Iterable[tuple[date, str, Tally]]:
        self.reads.append((first, last))
        return self._table.between(first, last)


@pytest.fixture
def table(storage: Storage) -> Watched:
    storage.account.create(f"{storage.name}usage")
    return Watched(UsageTable(storage.account.table(f"{storage.name}usage")))


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 22, 10, tzinfo=UTC))


@pytest.fixture
def ledger_of(table: Watched, clock: Clock) -> MakeLedger:
    """A ledger of a worker."""

    def make(worker: str = "a", daily: float | None = None, monthly: float | None = None) -> Ledger:
        return Ledger(table, worker, clock, daily_usd=daily, monthly_usd=monthly)

    return make


def refused(ledger: Ledger) -> BudgetSpent:
    with pytest.raises(BudgetSpent) as caught:
        ledger.check_budget()
    return caught.value


def stored(table: Watched) -> dict[tuple[date, str], Tally]:
    """The whole table."""
    rows = table.between(date.min, date.max)
    return {(day, worker): tally for day, worker, tally in rows}


def asked_for(ledger: Ledger, count: int) -> None:
    """Returns when that many threads have asked for a write."""
    eventually(lambda: ledger._asked >= count)


def test_every_column_survives_the_table_and_counts_may_outgrow_32_bits(table: Watched) -> None:
    table.save(TODAY, "a", FULL)
    assert stored(table) == {(TODAY, "a"): FULL}
    assert {type(value) for value in astuple(stored(table)[TODAY, "a"])} == {int, float}


def test_what_is_added_is_durable_and_seen_by_others(ledger_of: MakeLedger) -> None:
    ledger = ledger_of("a")
    ledger.add(Usage(100, 50, 20, 3, 0.25), status="captioned")
    ledger.add(Usage(10, 5, 2, 1, 0.5), status="rejected")
    ledger.add(NOTHING, status="captioned", reused=True, reused_usd=0.75)
    ledger.add(Usage(1, 0, 1, 0, None), status="failed")
    ledger.add(Usage(1, 0, 0, 0, 0.25))
    ledger_of("b").add(CENT, status="captioned")
    expected = Tally(3, 1, 1, 1, 112, 55, 23, 4, 1.01, 0.75, 1)
    assert expected.images == 5
    for reader in (ledger, ledger_of("c")):
        assert reader.days(1) == [DayUsage(TODAY, expected)]


@pytest.mark.parametrize("status", ["processing", "deferred", None])
def test_an_image_counts_when_nothing_more_happens_to_it(
    ledger_of: MakeLedger, status: Status | None
) -> None:
    ledger = ledger_of()
    ledger.add(CENT, status=status)
    assert ledger.days(1)[0].tally == Tally(usd=0.01)


def test_each_day_has_a_row_of_its_own(table: Watched, ledger_of: MakeLedger, clock: Clock) -> None:
    ledger = ledger_of()
    ledger.add(CENT)
    clock.time = datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=UTC)
    ledger.add(CENT)
    clock.advance(1)
    ledger.add(CENT)
    clock.advance(-1)  # a clock that is set back loses nothing
    ledger.add(CENT)
    usd = {day: tally.usd for (day, _), tally in stored(table).items()}
    assert usd == {TODAY: pytest.approx(0.03), date(2026, 11, 23): 0.01}


def test_days_are_those_of_utc_wherever_the_clock_is(table: Watched) -> None:
    in_tokyo = datetime(2026, 11, 23, 8, tzinfo=timezone(timedelta(hours=9)))
    Ledger(table, "a", lambda: in_tokyo).add(CENT)
    assert list(stored(table)) == [(TODAY, "a")]


def test_the_last_days_come_newest_first_with_those_on_which_nothing_happened(
    table: Watched, ledger_of: MakeLedger, clock: Clock
) -> None:
    clock.time = datetime(2026, 12, 2, tzinfo=UTC)
    for day in (2, 30, 27):
        table.save(date(2026, 12 if day == 2 else 11, day), "b", Tally(usd=day))
    days = ledger_of().days(4)
    assert [(day.day.day, day.tally.usd) for day in days] == [(2, 2), (1, 0), (30, 30), (29, 0)]


def test_threads_that_wait_share_one_write(table: Watched, ledger_of: MakeLedger) -> None:
    ledger = ledger_of()
    with ThreadPoolExecutor(20) as threads:
        table.open.clear()
        added = [threads.submit(ledger.add, CENT) for _ in range(20)]
        asked_for(ledger, 20)
        assert not any(future.done() for future in added)
        table.open.set()
        for future in added:
            future.result(HUNG_SECONDS)
    assert len(table.writes) <= 2
    assert stored(table)[TODAY, "a"].usd == pytest.approx(0.20)


def test_who_waited_for_a_write_that_held_its_addition_writes_nothing(
    table: Watched, ledger_of: MakeLedger
) -> None:
    """Threads that go on at once have new additions while others still wait."""
    ledger = ledger_of()
    with ThreadPoolExecutor(16) as threads:
        for future in [threads.submit(ledger.add, CENT) for _ in range(320)]:
            future.result(HUNG_SECONDS)
    assert stored(table)[TODAY, "a"].usd == pytest.approx(3.20)
    assert len(table.writes) < 320 * 3 / 4


def test_nothing_returns_before_it_is_written(table: Watched, ledger_of: MakeLedger) -> None:
    ledger = ledger_of()

    def add() -> float:
        """What is stored when the addition returned."""
        ledger.add(CENT)
        return stored(table)[TODAY, "a"].usd

    with ThreadPoolExecutor(8) as threads:
        seen = sorted(
            future.result(HUNG_SECONDS) for future in [threads.submit(add) for _ in range(100)]
        )
    assert all(usd >= 0.01 * position - 1e-9 for position, usd in enumerate(seen, start=1))
    assert stored(table)[TODAY, "a"].usd == pytest.approx(1.0)
    assert len(table.writes) <= 100


def test_a_failed_write_is_told_to_all_who_wait_and_goes_with_the_next(
    table: Watched, ledger_of: MakeLedger
) -> None:
    ledger = ledger_of()
    table.broken = True
    table.open.clear()
    with ThreadPoolExecutor(10) as threads:
        added = [threads.submit(ledger.add, CENT)]
        assert table.writing.wait(HUNG_SECONDS)
        added += [threads.submit(ledger.add, CENT) for _ in range(9)]
        asked_for(ledger, 10)
        table.open.set()
        errors = [future.exception(HUNG_SECONDS) for future in added]
    assert {type(error) for error in errors} == {StorageUnavailable}
    assert len({id(error) for error in errors}) == 10
    assert len(table.writes) == 2
    assert stored(table) == {}
    table.broken = False
    ledger.add(CENT)
    assert stored(table)[TODAY, "a"].usd == pytest.approx(0.11)


def test_a_write_that_failed_can_be_made_up_for_without_an_addition(
    table: Watched, ledger_of: MakeLedger, clock: Clock
) -> None:
    ledger = ledger_of()
    table.broken = True
    with pytest.raises(StorageUnavailable, match="503"):
        ledger.add(CENT)
    clock.advance(86_400)
    table.broken = False
    ledger.save()
    assert stored(table) == {(TODAY, "a"): Tally(usd=0.01)}
    ledger.save()
    assert len(table.writes) == 2


def test_a_table_that_is_not_there_is_storage_that_is_not_available(
    storage: Storage, clock: Clock
) -> None:
    ledger = Ledger(UsageTable(storage.account.table("nowhere")), "a", clock, daily_usd=1.0)
    for call in (lambda: ledger.add(CENT), ledger.check_budget, lambda: ledger.days(1)):
        with pytest.raises(StorageUnavailable):
            call()


def test_a_row_of_an_older_version_lacks_columns(storage: Storage, table: Watched) -> None:
    service = TableServiceClient.from_connection_string(storage.connection)
    with service, service.get_table_client(f"{storage.name}usage") as client:
        client.create_entity({"PartitionKey": "2026-11-22", "RowKey": "a", "captioned": 3})
    assert stored(table) == {(TODAY, "a"): Tally(captioned=3)}


def test_without_a_budget_nothing_is_read(table: Watched, ledger_of: MakeLedger) -> None:
    ledger = ledger_of()
    ledger.add(Usage(usd=1e9))
    ledger.check_budget()
    assert table.reads == []


def test_the_day_is_spent_when_all_workers_together_reach_the_limit(
    ledger_of: MakeLedger, clock: Clock
) -> None:
    ledger, other = ledger_of("a", daily=0.20), ledger_of("b")
    for number in range(19):
        (ledger if number % 2 else other).add(CENT)
        ledger.check_budget()
    other.add(CENT)  # 20 cents, added up in floating point
    error = refused(ledger)
    assert "DAILY_BUDGET_USD" in error.message
    assert "2026-11-23 00:00 UTC" in error.message
    assert error.retry_after == 14 * 3600
    clock.advance(14 * 3600 - 1)
    assert refused(ledger).retry_after == 1
    clock.advance(1)
    ledger.check_budget()


@pytest.mark.parametrize(
    ("now", "turns", "days"),
    [
        (datetime(2026, 11, 22, tzinfo=UTC), "2026-12-01", 9),
        (datetime(2026, 12, 31, tzinfo=UTC), "2027-01-01", 1),
        (datetime(2028, 2, 1, tzinfo=UTC), "2028-03-01", 29),
    ],
)
def test_the_month_is_spent_until_the_next_begins(
    table: Watched, ledger_of: MakeLedger, clock: Clock, now: datetime, turns: str, days: int
) -> None:
    clock.time = now
    table.save(now.date().replace(day=1), "b", Tally(usd=9.0))
    table.save(now.date().replace(day=1) - timedelta(days=1), "b", Tally(usd=100.0))
    ledger = ledger_of("a", daily=9.5, monthly=10.0)
    ledger.check_budget()
    ledger.add(Usage(usd=1.0))
    error = refused(ledger)
    assert "MONTHLY_BUDGET_USD" in error.message
    assert turns in error.message
    assert error.retry_after == days * 86_400
    clock.advance(error.retry_after)
    ledger.check_budget()


def test_a_late_write_to_a_finished_day_counts_within_five_minutes(
    table: Watched, ledger_of: MakeLedger, clock: Clock
) -> None:
    ledger = ledger_of("a", monthly=1.0)
    ledger.check_budget()
    table.save(TODAY - timedelta(days=1), "b", Tally(usd=1.0))
    ledger.check_budget()
    today_only = table.reads[2:]
    assert today_only == [(TODAY, TODAY)]
    clock.advance(EARLIER_DAYS.total_seconds())
    assert "MONTHLY" in refused(ledger).message


def test_yesterday_counts_from_midnight_on(ledger_of: MakeLedger, clock: Clock) -> None:
    clock.time = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
    ledger, other = ledger_of("a", monthly=1.0), ledger_of("b")
    ledger.check_budget()
    other.add(Usage(usd=1.0))
    clock.advance(1)
    assert "MONTHLY" in refused(ledger).message


def test_what_could_not_be_written_counts_all_the_same(
    table: Watched, ledger_of: MakeLedger
) -> None:
    ledger = ledger_of("a", daily=0.01)
    table.broken = True
    with pytest.raises(StorageUnavailable):
        ledger.add(CENT)
    refused(ledger)


def test_a_worker_is_not_counted_twice(ledger_of: MakeLedger) -> None:
    ledger = ledger_of("a", daily=1.0, monthly=2.0)
    ledger.add(Usage(usd=0.6))
    ledger.check_budget()
    budget = ledger.spent()
    assert (budget.spent_today_usd, budget.spent_month_usd) == (0.6, 0.6)
    assert (budget.daily_usd, budget.monthly_usd) == (1.0, 2.0)


def test_spending_of_many_workers_ends_within_what_is_in_flight(
    table: Watched, ledger_of: MakeLedger
) -> None:
    """Four workers of four threads each want to pay for 75 images; the limit allows for 100."""
    ledgers = [ledger_of(f"worker {number}", daily=1.0) for number in range(4)]

    def pay(ledger: Ledger) -> None:
        ledger.check_budget()
        ledger.add(CENT)

    with ThreadPoolExecutor(16) as threads:
        runs: list[Future[None]] = [
            threads.submit(pay, ledger) for _ in range(75) for ledger in ledgers
        ]
        for run in runs:
            with suppress(BudgetSpent):
                run.result(HUNG_SECONDS)
    paid = sum(tally.usd for tally in stored(table).values())
    assert 1.0 - 1e-9 <= paid <= 1.0 + 0.01 * 15 + 1e-9


def told(caplog: pytest.LogCaptureFixture, ledger: Ledger) -> list[Any]:
    """The lines of `log_spent`, parsed."""
    caplog.clear()
    with caplog.at_level(logging.INFO, "captioning.budget"):
        ledger.log_spent()
    return [json.loads(record.getMessage()) for record in caplog.records]


def test_what_is_spent_of_a_budget_is_logged_over_all_workers(
    ledger_of: MakeLedger, caplog: pytest.LogCaptureFixture
) -> None:
    ledger_of().add(CENT)
    other = ledger_of("b", daily=5.0)
    other.add(CENT)
    assert told(caplog, other) == [
        {
            "event": "budget",
            "daily_usd": 5.0,
            "monthly_usd": None,
            "spent_today_usd": pytest.approx(0.02),
            "spent_month_usd": pytest.approx(0.02),
        }
    ]


def test_without_a_limit_nothing_is_read_to_log_it(
    ledger_of: MakeLedger, table: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    assert told(caplog, ledger_of()) == []
    assert not table.reads


def test_a_table_that_does_not_answer_keeps_nobody_from_working(
    ledger_of: MakeLedger, table: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(first: date, last: date) -> Iterable[tuple[date, str, Tally]]:
        raise StorageUnavailable("storage answered 503 (in a test)")

    monkeypatch.setattr(table, "between", away)
    ledger_of("b", daily=5.0).log_spent()
