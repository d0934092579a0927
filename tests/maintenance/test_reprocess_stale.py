"""Rounds of `reprocess --stale`: which images are requested, where a run stops, and how the next
one continues."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from itertools import count, islice
from typing import Any

import pytest

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord, Provenance, RecordError
from captioning.errors import StorageUnavailable
from captioning.maintenance.recaption import Recaption
from captioning.maintenance.reprocess import (
    Limits,
    ReprocessReport,
    Round,
    Selection,
    model_date,
)
from captioning.records import catalog as catalog_module
from captioning.search.search import MOST_MAKES
from testing.factories.records import START, minutes, short
from testing.fakes.faults import Clock, Crash, FaultInjector
from testing.fakes.stores import MemoryDeferrals, MemoryImages, MemoryTable
from testing.simulation.world import catalog_over

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
        self.clock = Clock()
        self.table, self.words = MemoryTable(self.clock), MemoryTable(self.clock)
        self.catalog = catalog_over(self.table, self.words, self.clock)
        self.queue = MemoryDeferrals(self.clock)
        self.recaption: Any = Recaption(MemoryImages(self.clock), self.catalog, self.queue)
        self.captioned: list[str] = []

    def save(self, *records: CaptionRecord) -> None:
        for record in records:
            self.catalog.save(record, self.catalog.get(record.path))

    def remove(self, path: str) -> None:
        stored = self.catalog.get(path)
        assert stored
        self.catalog.remove(stored)

    def caption(self, now: str = NOW) -> list[str]:
        """Captions what is requested as a run of the app does, which leaves alone what was made
        with the present settings; paths in their order."""
        made = []
        for wake in self.sent:
            stored = self.catalog.get(wake.path)
            if stored and stored.record.provenance.fingerprint != now:
                done = replace(stored.record, provenance=Provenance(fingerprint=now), error=None)
                self.catalog.save(done, stored)
                made.append(wake.path)
        self.queue.held.clear()
        self.captioned += made
        return made

    def crashed(self, call: int, *, after: bool, **limits: Any) -> bool:
        """Runs a round in a process of its own that is killed at a call; whether it was."""
        injector = FaultInjector()
        catalog = catalog_over(injector.wrap(self.table), injector.wrap(self.words), self.clock)
        queue: Any = injector.wrap(self.queue)
        images = Round(
            STALE,
            Limits(**limits),
            catalog=catalog,
            recaption=Recaption(MemoryImages(self.clock), catalog, queue),
            fingerprint=NOW,
            estimates=Cents(),
        )
        injector.crash(call, after=after)
        with closing(catalog):
            try:
                list(images)
            except Crash:
                return True
        return False

    def round(self, selection: Selection = STALE, now: str = NOW, **limits: Any) -> Round:
        return Round(
            selection,
            Limits(**limits),
            catalog=self.catalog,
            recaption=self.recaption,
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
        for expected in (["0.jpg", "1.jpg"], ["2.jpg", "3.jpg"], ["4.jpg"]):
            found = shop.round(images=2)
            assert [asked.record.path for asked in found] == expected
            assert found.report.stopped == ("limit" if len(expected) == 2 else None)
            assert shop.caption() == expected
        assert shop.run(images=2) == ReprocessReport()

    def test_a_budget_is_never_exceeded(self, shop: Shop) -> None:
        """Ten cents are ten times a cent, whatever floating point says."""
        shop.save(*numbered(12))
        report = shop.run(usd=0.1)
        assert (report.asked, report.stopped, report.before) == (10, "budget", "10.jpg")
        assert report.usd == pytest.approx(0.1)
        shop.caption()
        report = shop.run(usd=0.009)
        assert (report.asked, report.stopped, report.before) == (0, "budget", "10.jpg")
        assert shop.asked(usd=1.0) == ["10.jpg", "11.jpg"]

    def test_a_budget_needs_prices(self, shop: Shop) -> None:
        shop.save(by("unpriced.jpg"))
        assert shop.run(usd=1.0).stopped == "price"
        assert shop.sent == []
        assert (report := shop.run()).unpriced == report.asked == 1

    def test_a_dry_run_requests_none(self, shop: Shop) -> None:
        """And lists what a run would request now."""
        shop.save(*numbered(3))
        assert shop.asked(dry_run=True) == ["0.jpg", "1.jpg", "2.jpg"]
        assert shop.sent == []
        shop.asked(images=1)
        shop.caption()
        assert shop.asked(dry_run=True) == ["1.jpg", "2.jpg"]

    def test_what_is_requested_twice_meanwhile_is_captioned_once(self, shop: Shop) -> None:
        """A run does not know what is still queued."""
        shop.save(*numbered(3))
        assert shop.asked(images=2) == shop.asked(images=2) == ["0.jpg", "1.jpg"]
        assert len(shop.sent) == 4
        assert shop.caption() == ["0.jpg", "1.jpg"]
        assert shop.asked(images=2) == ["2.jpg"]

    def test_other_settings_begin_with_the_newest_image(self, shop: Shop) -> None:
        shop.save(*numbered(3))
        shop.asked(images=2)
        shop.caption()
        assert [a.record.path for a in shop.round(now="later")] == ["0.jpg", "1.jpg", "2.jpg"]
        shop.caption(now="later")
        assert [a.record.path for a in shop.round(now="later")] == []
        assert shop.asked(images=1) == ["0.jpg"]

    def test_without_stale_an_image_is_selected_as_long_as_it_has_the_status(
        self, shop: Shop
    ) -> None:
        shop.save(*numbered(3))
        for _ in range(2):
            assert shop.asked(Selection(status="captioned"), images=1) == ["0.jpg"]

    def test_what_is_left_alone_counts_towards_no_limit(self, shop: Shop) -> None:
        """Every run finds it again, and counts it again."""
        reverted = Provenance(fingerprint="before", reverted=True)
        stale = numbered(6)
        stale[0] = replace(stale[0], provenance=reverted)
        stale[2] = replace(stale[2], error=FAILED)
        stale[3] = replace(stale[3], provenance=reverted)
        shop.save(*stale)
        for expected in (["1.jpg", "4.jpg"], ["5.jpg"], []):
            found = shop.round(images=2)
            assert [asked.record.path for asked in found] == expected
            assert (found.report.reverted, found.report.failed) == (2, 1)
            shop.caption()


class TestManyPages:
    """What a run has not requested yet, the next one does: whatever has stopped it."""

    COUNT = 10

    @pytest.fixture(autouse=True)
    def _small_pages(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(catalog_module, "PAGE", 3)
        records = numbered(self.COUNT)
        for number, record in enumerate(records):
            made = Provenance(model="m", fingerprint=f"before {number % 4}")
            shop.save(replace(record, provenance=made))
        shop.save(by("of now.jpg", NOW), by("unknown.jpg", None))
        self.stale = [record.path for record in records]

    def test_images_of_several_fingerprints_are_requested_newest_first(self, shop: Shop) -> None:
        assert shop.asked() == self.stale

    def test_each_run_continues_beyond_the_one_before(self, shop: Shop) -> None:
        for first in range(0, self.COUNT, 4):
            expected = self.stale[first : first + 4]
            assert shop.asked(images=4) == expected
            assert shop.caption() == expected
        assert shop.asked() == []

    def test_more_fingerprints_than_a_search_reads_postings_of(self, shop: Shop) -> None:
        """Records are read instead, until fewer fingerprints are left."""
        more = [by(f"{number} more.jpg", f"b{number}") for number in range(8 * MOST_MAKES)]
        shop.save(*more)
        expected = sorted([*self.stale, *(record.path for record in more)])
        assert sorted(shop.asked()) == expected
        shop.queue.held = shop.queue.held[:200]
        shop.caption()
        assert sorted([*shop.captioned, *shop.asked()]) == expected

    def test_a_reader_that_stops_stops_it_there(self, shop: Shop) -> None:
        with closing(iter(shop.round())) as images:
            assert len(list(islice(images, 6))) == 6
        assert shop.caption() == self.stale[:6]
        assert shop.asked() == self.stale[6:]

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
        assert shop.caption() == self.stale[:6]
        assert shop.asked() == self.stale[6:]

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_a_run_that_is_killed_at_any_call_is_continued(
        self, shop: Shop, *, after: bool
    ) -> None:
        """Each image is captioned once, also where the first runs are killed one after another."""
        calls = count(1)
        while shop.crashed(next(calls), after=after):
            shop.caption()
        shop.caption()
        assert shop.captioned == self.stale
        assert shop.asked() == []
        assert next(calls) > 10

    def test_what_was_captioned_meanwhile_is_not_requested_again(self, shop: Shop) -> None:
        """By a new upload, say, or by a person's request."""
        shop.asked(images=2)
        made = Provenance(fingerprint=NOW)
        shop.save(*(replace(record, provenance=made) for record in numbered(5)))
        assert shop.asked() == self.stale[5:]


class TestWhileOthersWrite:
    """Images come, go, and are captioned while a round runs: every image that stays stale is
    requested once."""

    @pytest.fixture(autouse=True)
    def _small_pages(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(catalog_module, "PAGE", 2)
        shop.save(*numbered(12))

    def test_a_round_reads_on(self, shop: Shop) -> None:
        made = Provenance(fingerprint=NOW)
        others: dict[str, Callable[[], object]] = {
            "1.jpg": lambda: shop.remove("5.jpg"),
            "2.jpg": lambda: shop.remove("0.jpg"),
            "3.jpg": lambda: shop.save(by("newest.jpg", image=short("x", minutes(9)).image)),
            "4.jpg": lambda: shop.save(by("oldest.jpg", image=short("x", minutes(-99)).image)),
            "6.jpg": lambda: shop.save(replace(numbered(9)[8], provenance=made)),
            "7.jpg": lambda: shop.save(replace(numbered(12)[11], status="processing")),
            "10.jpg": lambda: shop.save(replace(numbered(1)[0], caption="Uploaded again.")),
        }
        found = []
        for asked in shop.round():
            found.append(asked.record.path)
            others.get(asked.record.path, lambda: None)()
        expected = [f"{number}.jpg" for number in (0, 1, 2, 3, 4, 6, 7, 9, 10)]
        assert found == [*expected, "oldest.jpg"]
        shop.caption()
        assert shop.asked() == ["newest.jpg"]

    def test_the_app_captions_while_the_round_requests(self, shop: Shop) -> None:
        found = []
        for asked in shop.round():
            found.append(asked.record.path)
            shop.caption()
        assert found == shop.captioned == [f"{number}.jpg" for number in range(12)]
        assert shop.asked() == []
