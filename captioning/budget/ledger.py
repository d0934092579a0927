"""The ledger: what all workers paid, by day; and the budget that limits it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, date, datetime, time, timedelta
from threading import Lock
from typing import Protocol

from captioning.domain.record import FINAL, Status
from captioning.domain.usage import Usage
from captioning.errors import BudgetSpent, StorageUnavailable

EARLIER_DAYS = timedelta(minutes=5)
"""How long the sum of the month's finished days is cached: only a late write still changes it."""
_ROUNDING = 1e-9

log = logging.getLogger("captioning.budget")


@dataclass(frozen=True, slots=True)
class Tally:
    """Images by their final status, and what was paid for them.

    `reused` of them took over the answers to another image, which had cost `saved_usd`; that
    includes `bursts`, which took over those to a near-identical frame (`bursts_saved_usd`).
    `unpriced` counts the runs whose cost is unknown and so not in `usd`.
    """

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
    reasoning_tokens: int = 0

    @property
    def images(self) -> int:
        """Images with a final status."""
        return self.captioned + self.rejected + self.failed

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(sum, zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class DayUsage:
    """The sum of all workers' tallies of a day (UTC)."""

    day: date
    tally: Tally


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits (None if there is none) and what all workers have spent, in US dollars."""

    daily_usd: float | None
    monthly_usd: float | None
    spent_today_usd: float
    spent_month_usd: float


class UsageRows(Protocol):
    """A table with a row for each day and worker."""

    def save(self, day: date, worker: str, tally: Tally) -> None:
        """Writes a worker's row of a day."""

    def between(self, first: date, last: date) -> Iterable[tuple[date, str, Tally]]:
        """Every worker's row of every day from `first` to `last`."""


class Ledger:
    """One worker's view of the ledger; safe to share between threads. Days are in UTC.

    `worker` is a new name for every process, so that no two write the same row. Only `add` and
    `save` write. Every method but `log_spent` raises StorageUnavailable.
    """

    def __init__(
        self,
        table: UsageRows,
        worker: str,
        now: Callable[[], datetime],
        daily_usd: float | None = None,
        monthly_usd: float | None = None,
    ) -> None:
        self._table = table
        self._worker = worker
        self._now = now
        self._daily, self._monthly = daily_usd, monthly_usd
        self._tallies: dict[date, Tally] = {}
        self._stored: dict[date, Tally] = {}
        self._asked = self._saved = self._failed = 0
        self._trouble = ""
        self._counting, self._saving = Lock(), Lock()
        self._earlier: tuple[datetime, float] | None = None

    def add(
        self,
        usage: Usage,
        *,
        status: Status | None = None,
        reused_usd: float | None = None,
        reused: bool = False,
        burst: bool = False,
    ) -> None:
        """Adds what a run paid and the final status that it led to.

        If the run `reused` a result, `reused_usd` is what that had cost; with `burst` it is a
        near-identical frame's. It is stored when this returns. When this raises it is counted all
        the same, and written with the next call: do not add it again.
        """
        tally = _tally(usage, status, reused_usd, reused=reused, burst=burst)
        with self._counting:
            today = self._now().astimezone(UTC).date()
            self._tallies[today] = self._tallies.get(today, Tally()) + tally
        self.save()

    def save(self) -> None:
        """Writes what is not stored yet. Threads that call this meanwhile share one write, and its
        failure."""
        with self._counting:
            self._asked += 1
            mine = self._asked
        with self._saving:
            if mine <= self._saved:
                return
            if mine <= self._failed:
                raise StorageUnavailable(self._trouble)
            self._write()

    def check_budget(self) -> None:
        """Raises BudgetSpent if all workers together have spent the day's or the month's limit.

        Call it before each payment. The table is read each time, so spending ends at the limit plus
        at most the payments, in all workers, that were allowed before and are not recorded yet.
        Without a limit nothing is read.
        """
        now = self._now().astimezone(UTC)
        if self._daily is None and self._monthly is None:
            return
        today = self._usd(now.date(), now.date())
        if self._monthly is not None and _reached(today + self._earlier_usd(now), self._monthly):
            first = (now.date().replace(day=1) + timedelta(days=32)).replace(day=1)
            raise _spent("month", "MONTHLY_BUDGET_USD", self._monthly, first, now)
        if self._daily is not None and _reached(today, self._daily):
            following = now.date() + timedelta(days=1)
            raise _spent("day", "DAILY_BUDGET_USD", self._daily, following, now)

    def days(self, count: int) -> list[DayUsage]:
        """The last `count` days up to today, newest first, including those without any images."""
        today = self._now().astimezone(UTC).date()
        days = [today - timedelta(days=back) for back in range(count)]
        sums = dict.fromkeys(days, Tally())
        for day, tally in self._rows(days[-1], today):
            sums[day] += tally
        return [DayUsage(day, tally) for day, tally in sums.items()]

    def spent(self) -> Budget:
        """The limits, and how much of them is spent."""
        now = self._now().astimezone(UTC)
        today = self._usd(now.date(), now.date())
        return Budget(self._daily, self._monthly, today, today + self._earlier_usd(now))

    def log_spent(self) -> None:
        """Writes a line of JSON with the limits and what is spent, which alerts rest on. Without a
        limit, or when the table does not answer, nothing is written."""
        if self._daily is None and self._monthly is None:
            return
        try:
            spent = self.spent()
        except StorageUnavailable:
            return
        log.info(json.dumps({"event": "budget", **asdict(spent)}))

    def _write(self) -> None:
        with self._counting:
            asked = self._asked
            changed = {d: t for d, t in self._tallies.items() if t != self._stored.get(d)}
        try:
            for day, tally in changed.items():
                self._table.save(day, self._worker, tally)
                self._stored[day] = tally
        except StorageUnavailable as error:
            self._failed, self._trouble = asked, error.message
            raise
        self._saved = asked

    def _earlier_usd(self, now: datetime) -> float:
        """Spent on the month's finished days; cached for five minutes, within a day."""
        if self._earlier:
            read, usd = self._earlier
            if read.date() == now.date() and now - read < EARLIER_DAYS:
                return usd
        usd = self._usd(now.date().replace(day=1), now.date() - timedelta(days=1))
        self._earlier = now, usd
        return usd

    def _usd(self, first: date, last: date) -> float:
        return sum(tally.usd for _, tally in self._rows(first, last))

    def _rows(self, first: date, last: date) -> Iterator[tuple[date, Tally]]:
        """The other workers' tallies as stored, and this worker's as they are in memory."""
        for day, worker, tally in self._table.between(first, last):
            if worker != self._worker:
                yield day, tally
        with self._counting:
            own = dict(self._tallies)
        yield from ((day, tally) for day, tally in own.items() if first <= day <= last)


def _tally(
    usage: Usage, status: Status | None, reused_usd: float | None, *, reused: bool, burst: bool
) -> Tally:
    ended = {status: 1} if status in FINAL else {}
    return Tally(
        **ended,
        reused=int(reused),
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        vision_calls=usage.vision_calls,
        usd=usage.usd or 0.0,
        saved_usd=reused_usd or 0.0,
        unpriced=int(usage.usd is None),
        bursts=int(burst),
        bursts_saved_usd=(reused_usd or 0.0) if burst else 0.0,
    )


def _reached(usd: float, limit: float) -> bool:
    """Allows for rounding: as floats, ten times ten cents are a little less than a dollar."""
    return usd >= limit - _ROUNDING


def _spent(period: str, setting: str, limit: float, turn: date, now: datetime) -> BudgetSpent:
    begin = datetime.combine(turn, time(), UTC)
    return BudgetSpent(
        f"The {period}'s budget of {limit:g} USD ({setting}) is spent: images wait until"
        f" {begin:%Y-%m-%d %H:%M} UTC, or until it is raised.",
        (begin - now).total_seconds(),
    )
