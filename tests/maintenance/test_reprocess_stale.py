"""Rounds of `reprocess --stale`: who is asked for, where a run stops, how the next one goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from itertools import islice
from typing import Any

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord, Provenance, RecordError
from captioning.errors import StorageUnavailable
from captioning.maintenance import reprocess
from captioning.maintenance.recaption import Recaption
from captioning.maintenance.reprocess import (
    Limits,
    ReprocessReport,
    Round,
    Selection,
    model_date,
)
from captioning.records.catalog import Catalog
from testing.factories.records import START, minutes, short
from testing.fakes.faults import Clock
from testing.fakes.stores import (
    MemoryDeferrals,
    MemoryImages,
    MemoryIndex,
    MemoryRecords,
    MemoryState,
)

STALE = Selection(stale=True)
NOW = "now"
"""The fingerprint of how services are asked."""
FAILED = RecordError("bad_response", "Why.", fingerprint=NOW)


class Cents:
    """Estimates of a cent each; of none for those that are named so."""

    basis = "estimated by the test"

    def of(self, record: CaptionRecord) -> float | None:
        return None if "unpriced" in record.path else 0.01


class Shop:
    """A catalogue of records in memory, a queue, and rounds over them."""

    def __init__(self) -> None:
        clock = Clock()
        self.catalog = Catalog(MemoryRecords(), MemoryIndex(), readers=1)
        self.queue = MemoryDeferrals(clock)
        self.recaption: Any = Recaption(MemoryImages(clock), self.catalog, self.queue)
        self.state: Any = MemoryState()

    def save(self, *records: CaptionRecord) -> None:
        for record in records:
            self.catalog.save(record, self.catalog.get(record.path))

    def round(self, selection: Selection = STALE, now: str = NOW, **limits: Any) -> Round:
        return Round(
            selection,
            Limits(**limits),
            catalog=self.catalog,
            recaption=self.recaption,
            state=self.state,
            fingerprint=now,
            estimates=Cents(),
        )

    def asked(self, selection: Selection = STALE, **limits: Any) -> list[str]:
        """Paths that a run of a round asks for."""
        return [asked.record.path for asked in self.round(selection, **limits)]

    def run(self, **limits: Any) -> ReprocessReport:
        """What a whole run reports."""
        found = self.round(**limits)
        list(found)
        return found.report

    @property
    def sent(self) -> list[CaptionMessage]:
        return [message.wake for message in self.queue.held]


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    with closing(made.catalog):
        yield made


def by(path: str, fingerprint: str | None = "before", **changes: Any) -> CaptionRecord:
    """A record that was made under a fingerprint."""
    made = Provenance(model="gpt-4o-mini-2024-07-18", fingerprint=fingerprint)
    return replace(short(path, provenance=made), **changes)


def numbered(count: int) -> list[CaptionRecord]:
    """Stale ones, `0.jpg` the newest."""
    return [
        replace(by(f"{number}.jpg"), image=short("x", minutes(-number)).image)
        for number in range(count)
    ]


class TestWhichOnes:
    def test_what_is_final_and_of_another_fingerprint(self, shop: Shop) -> None:
        shop.save(
            by("stale.jpg"),
            by("rejected.jpg", status="rejected"),
            by("failed.jpg", status="failed"),
            by("of now.jpg", NOW),
            by("never asked.jpg", None, status="failed"),
            by("processing.jpg", status="processing"),
            by("deferred.jpg", status="deferred"),
        )
        assert sorted(shop.asked()) == ["failed.jpg", "rejected.jpg", "stale.jpg"]
        assert shop.asked(Selection(status="failed", stale=True)) == ["failed.jpg"]
        assert {wake.afresh for wake in shop.sent} == {None}

    def test_all_options_have_to_hold(self, shop: Shop) -> None:
        shop.save(
            by("both.jpg", review="needed"),
            by("review.jpg", NOW, review="needed"),
            by("stale.jpg"),
        )
        assert shop.asked(Selection(stale=True, only_review=True)) == ["both.jpg"]
        since = Selection(stale=True, since=START + timedelta(seconds=1))
        assert shop.asked(since) == []

    @pytest.mark.parametrize(
        ("model", "is_older"),
        [
            ("gpt-4o-mini-2024-07-18", True),
            ("gpt-5-mini-2025-08-07", False),
            ("some-model-20240101", True),
            ("GPT-4.1-MINI-2025-04-13", True),
            ("gpt-4.1-mini-2025-04-14", False),
            *(("embedded", False), ("gpt-4-0613", False), (None, False)),
        ],
    )
    def test_a_model_is_older_by_the_day_in_its_name(
        self, model: str | None, *, is_older: bool
    ) -> None:
        wanted = Selection(stale=True, older_than=date(2025, 4, 14))
        record = by("a.jpg", provenance=Provenance(model=model, fingerprint="before"))
        assert wanted.verdict(record, NOW) == ("wanted" if is_older else "other")

    def test_what_a_person_went_back_to_is_left_alone_and_told(self, shop: Shop) -> None:
        held = Provenance(model="m", fingerprint="before", reverted=True)
        shop.save(by("a.jpg"), by("held.jpg", provenance=held))
        report = shop.run()
        assert (report.asked, report.reverted) == (1, 1)
        assert shop.asked(Selection(status="captioned")) == ["a.jpg"]

    def test_where_a_run_of_now_has_failed_it_takes_a_word_more(self, shop: Shop) -> None:
        shop.save(
            by("failed.jpg", error=FAILED), by("a.jpg", error=replace(FAILED, fingerprint="x"))
        )
        report = shop.run()
        assert (report.asked, report.failed) == (1, 1)
        retried = [a.record.path for a in shop.round(replace(STALE, retry=True))]
        assert sorted(retried) == ["a.jpg", "failed.jpg"]
        assert [wake.path for wake in shop.sent if wake.afresh] == ["failed.jpg"]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("gpt-4o-mini-2024-07-18", date(2024, 7, 18)),
        ("2024-07-18", date(2024, 7, 18)),
        (" 20240718 ", date(2024, 7, 18)),
        ("claude@20240718", date(2024, 7, 18)),
        *((name, None) for name in ("", "gpt-5-mini", "gpt-4-0613", "mistral-large-2411")),
        *(
            (name, None)
            for name in ("2024-13-40", "x2024-07-18", "2024-07-18-preview", "٢٠٢٤-٠٧-١٨")
        ),
    ],
)
def test_the_day_of_a_model(name: str, day: date | None) -> None:
    assert model_date(name) == day


class TestWhereItStops:
    def test_a_limit_and_then_on(self, shop: Shop) -> None:
        shop.save(*numbered(5))
        assert shop.asked(images=2) == ["0.jpg", "1.jpg"]
        assert shop.asked(images=2) == ["2.jpg", "3.jpg"]
        report = shop.run(images=2)
        assert (report.asked, report.resumed, report.stopped) == (1, True, None)
        assert shop.state.held == {}
        assert not shop.round().report.resumed

    def test_a_budget_is_never_passed(self, shop: Shop) -> None:
        """Ten cents are ten times a cent, whatever floating point says."""
        shop.save(*numbered(12))
        report = shop.run(usd=0.1)
        assert (report.asked, report.stopped, report.before) == (10, "budget", "10.jpg")
        assert report.usd == pytest.approx(0.1)
        assert shop.run(usd=0.009).asked == 0
        assert shop.asked(usd=1.0) == ["10.jpg", "11.jpg"]

    def test_a_budget_needs_prices(self, shop: Shop) -> None:
        shop.save(by("unpriced.jpg"))
        assert shop.run(usd=1.0).stopped == "price"
        assert shop.sent == []
        assert (report := shop.run()).unpriced == report.asked == 1

    def test_a_dry_run_asks_for_none_and_moves_nothing(self, shop: Shop) -> None:
        """And lists what a run would ask for now."""
        shop.save(*numbered(3))
        assert shop.asked(dry_run=True) == ["0.jpg", "1.jpg", "2.jpg"]
        assert (shop.sent, shop.state.held) == ([], {})
        shop.asked(images=1)
        assert shop.asked(dry_run=True) == ["1.jpg", "2.jpg"]
        assert shop.asked(dry_run=True, restart=True) == ["0.jpg", "1.jpg", "2.jpg"]

    def test_it_begins_anew_where_it_is_told_to_or_is_another_round(self, shop: Shop) -> None:
        shop.save(*numbered(3))
        shop.asked(images=2)
        assert shop.asked(images=1, restart=True) == ["0.jpg"]
        assert shop.asked(Selection(status="captioned", stale=True), images=1) == ["0.jpg"]
        assert [a.record.path for a in shop.round(now="later", images=1)] == ["0.jpg"]

    def test_others_than_stale_ones_keep_no_position(self, shop: Shop) -> None:
        """New ones come in front of them."""
        shop.save(*(replace(record, status="failed") for record in numbered(3)))
        assert shop.asked(Selection(status="failed"), images=1) == ["0.jpg"]
        assert shop.state.held == {}


class TestKilledHalfWay:
    """A run goes on with what is not asked for yet."""

    @pytest.fixture(autouse=True)
    def _small_pages(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reprocess, "PAGE", 4)
        shop.save(*numbered(10))

    def test_who_stops_reading_stops_it_there(self, shop: Shop) -> None:
        with closing(iter(shop.round())) as images:
            assert len(list(islice(images, 6))) == 6
        assert shop.asked() == ["6.jpg", "7.jpg", "8.jpg", "9.jpg"]
        assert len(shop.sent) == 10

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), StorageUnavailable("503.")])
    def test_an_error_stops_it_before_that_image(self, shop: Shop, error: BaseException) -> None:
        put = shop.queue.put
        raised: list[BaseException] = []

        def failing(message: CaptionMessage, delay: float) -> None:
            if message.path == "6.jpg" and not raised:
                raised.append(error)
                raise error
            put(message, delay)

        shop.queue.put = failing  # type: ignore[method-assign]  # for one call
        with pytest.raises(type(error)):
            shop.asked()
        assert shop.asked() == ["6.jpg", "7.jpg", "8.jpg", "9.jpg"]
        assert sorted(wake.path for wake in shop.sent) == [f"{n}.jpg" for n in range(10)]

    def test_a_kill_costs_a_page_at_most(self, shop: Shop) -> None:
        """No line runs after it: the position is that of the page before."""
        written: dict[Any, Any] = {}
        images = iter(shop.round())
        for _ in range(6):
            next(images)
            written = dict(shop.state.held)
        images.close()
        shop.state.held = written
        assert shop.asked() == [f"{number}.jpg" for number in range(4, 10)]

    def test_what_was_captioned_meanwhile_is_not_asked_for_again(self, shop: Shop) -> None:
        shop.asked(images=2)
        shop.save(
            *(replace(record, provenance=Provenance(fingerprint=NOW)) for record in numbered(5))
        )
        assert shop.asked(restart=True) == [f"{number}.jpg" for number in range(5, 10)]

    def test_a_position_that_cannot_be_kept_hides_no_error(self, shop: Shop) -> None:
        class Refusing(MemoryState):
            def put(self, kind: str, name: str, document: Any) -> None:
                raise StorageUnavailable("503.")

        shop.state = Refusing()
        images = iter(shop.round())
        next(images)
        images.close()
        with pytest.raises(StorageUnavailable):
            shop.asked()
