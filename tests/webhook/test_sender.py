"""What becomes of a notice: sent, put off, dropped; and that it never gets lost on the way."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from captioning.domain.messages import NotificationMessage
from captioning.domain.record import CaptionRecord, record_id
from captioning.errors import (
    BadResponse,
    EndpointRefused,
    ServiceDeferred,
    ServiceThrottled,
    ServiceUnavailable,
    StorageUnavailable,
)
from captioning.ports import Write
from captioning.records.layout import Layout, record_key
from captioning.resilience.backoff import FIRST_FOR_STORAGE, GIVE_UP, LONGEST
from captioning.resilience.gate import Gate
from captioning.webhook.outbox import FIRST_LOOK, OutboxCatalog
from captioning.webhook.sender import LATEST_SAVE, WebhookSender
from testing.factories.records import FULL, short
from testing.fakes.faults import Clock, FaultInjector
from testing.fakes.stores import MemoryNotices, MemoryTable
from testing.fakes.webhook_receiver import KEY, SECRET, MemoryReceiver
from testing.simulation.world import catalog_over

DOWN = ServiceUnavailable("Down.")


class Lab:
    """A catalogue, a queue and a receiver in memory; time passes where somebody waits."""

    def __init__(self) -> None:
        self.clock, self.injector = Clock(), FaultInjector()
        self.table = MemoryTable(self.clock)
        self.catalog = catalog_over(
            self.injector.wrap(self.table), MemoryTable(self.clock), self.clock
        )
        self.notices, self.receiver = MemoryNotices(self.clock), MemoryReceiver()
        self.endings = OutboxCatalog(self.catalog, self.injector.wrap(self.notices), self.clock)
        self.outages: list[ServiceDeferred] = []
        self.notifier = WebhookSender(
            catalog=self.catalog,
            receiver=self.receiver,
            gate=Gate(
                "The receiver",
                clock=lambda: self.clock().timestamp(),
                wait=lambda _, pause: self.clock.advance(pause),
                uniform=lambda _, high: high,
            ),
            queue=self.injector.wrap(self.notices),
            keys=(KEY,),
            on_outage=self.outages.append,
            now=self.clock,
            uniform=lambda _, high: high,
        )

    def save(self, record: CaptionRecord) -> CaptionRecord:
        """Ends an image as those do who end them."""
        self.endings.save(record, self.catalog.get(record.path))
        return record

    def deliver(self) -> None:
        """What can be seen is dealt with."""
        for notice in self.notices.taken():
            self.notifier.notify(notice)

    def delays(self) -> list[float]:
        """Seconds until each notice can be seen."""
        return [(due - self.clock()).total_seconds() for _, due in self.notices.held]

    def run_for(self, time: timedelta) -> None:
        """Lets so much time pass, a minute at a time."""
        end = self.clock() + time
        while self.notices.held and self.clock() < end:
            self.clock.advance(60)
            self.deliver()


@pytest.fixture
def lab() -> Lab:
    return Lab()


def outcomes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [json.loads(r.getMessage())["outcome"] for r in caplog.records if r.msg[:1] == "{"]


@pytest.mark.parametrize("status", ["captioned", "rejected", "failed"])
def test_an_end_is_told_once_it_is_saved(lab: Lab, status: Any) -> None:
    record = lab.save(short("a.jpg", status=status))
    assert lab.delays() == [FIRST_LOOK]
    lab.clock.advance(FIRST_LOOK)
    lab.deliver()
    assert lab.receiver.latest("a.jpg") == record.to_json()
    assert lab.notices.held == []


def test_a_record_that_cannot_be_read_is_not_sent(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    record = lab.save(short("a.jpg"))
    row = lab.table.get(Layout(lab.table).partition_of(record.id), record_key(record.id))
    assert row
    lab.table.transact([Write("replace", {**row.entity, "status": "archived"}, row.etag)])
    lab.clock.advance(FIRST_LOOK)
    with caplog.at_level(logging.INFO):
        lab.deliver()
    assert outcomes(caplog) == ["dropped"]
    assert (lab.receiver.latest("a.jpg"), lab.notices.held) == (None, [])


@pytest.mark.parametrize("status", ["processing", "deferred"])
def test_what_is_not_the_end_is_not_announced(lab: Lab, status: Any) -> None:
    lab.save(short("a.jpg", status=status))
    assert lab.notices.held == []


def test_nothing_is_saved_that_could_not_be_announced(lab: Lab) -> None:
    lab.injector.fail(2)
    with pytest.raises(StorageUnavailable):
        lab.save(short("a.jpg"))
    assert lab.catalog.get("a.jpg") is None


@pytest.mark.parametrize("before", [None, short("a.jpg", status="processing"), short("a.jpg")])
def test_a_save_that_is_late_is_waited_for(lab: Lab, before: CaptionRecord | None) -> None:
    """Nothing, a claim, or an earlier end is what is found meanwhile."""
    if before:
        lab.catalog.save(before, None)
    late = short("a.jpg", caption="Late.", updated=lab.clock() + timedelta(seconds=1))
    lab.notices.put(NotificationMessage("a.jpg", late.updated), FIRST_LOOK)
    lab.run_for(timedelta(minutes=30))
    assert lab.receiver.deliveries == []
    lab.catalog.save(late, lab.catalog.get("a.jpg"))
    lab.run_for(timedelta(minutes=40))
    assert lab.receiver.latest("a.jpg")["caption"] == "Late."
    assert lab.notices.held == []


def test_a_save_that_never_comes_is_waited_for_no_more_than_an_hour(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.catalog.save(short("a.jpg", status="processing"), None)
    lab.notices.put(NotificationMessage("a.jpg", lab.clock()), FIRST_LOOK)
    looks = 0
    while lab.notices.held:
        lab.clock.advance(max(lab.delays()))
        with caplog.at_level(logging.INFO):
            lab.deliver()
        looks += 1
    assert lab.clock() - lab.catalog.get("a.jpg").record.updated > LATEST_SAVE  # type: ignore[union-attr]  # saved above
    assert outcomes(caplog) == ["dropped"]
    assert looks < 15


def test_a_clock_that_is_behind_loses_nothing(lab: Lab) -> None:
    """Somebody corrects the record by a clock that is behind that of the run."""
    record = lab.save(short("a.jpg", updated=lab.clock()))
    edited = replace(record, caption="Mine.", updated=lab.clock() - timedelta(seconds=5))
    lab.catalog.save(edited, lab.catalog.get("a.jpg"))
    lab.run_for(2 * LATEST_SAVE)
    assert lab.receiver.latest("a.jpg")["caption"] == "Mine."


def test_two_notices_of_one_end_have_one_identity(lab: Lab) -> None:
    """A run that died between notice and save, and the one that took over."""
    lab.notices.put(NotificationMessage("a.jpg", lab.clock()), FIRST_LOOK)
    lab.clock.advance(120)
    lab.save(short("a.jpg", updated=lab.clock()))
    lab.run_for(LATEST_SAVE)
    assert len(lab.receiver.identities) == 2
    assert len(set(lab.receiver.identities)) == 1


def test_what_fails_is_tried_again_with_the_same_identity(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.save(short("a.jpg"))
    lab.receiver.troubles.extend([DOWN, DOWN])
    with caplog.at_level(logging.INFO):
        lab.run_for(LATEST_SAVE)
    assert outcomes(caplog) == ["deferred", "deferred", "delivered"]
    told = [json.loads(record.getMessage()) for record in caplog.records]
    assert [line["attempts"] for line in told] == [1, 2, 3]
    assert [line["code"] for line in told] == ["unavailable", "unavailable", None]
    assert len({line["id"] for line in told}) == 1


def test_the_receivers_retry_after_is_obeyed(lab: Lab) -> None:
    lab.save(short("a.jpg"))
    lab.receiver.troubles.append(ServiceThrottled("Later.", retry_after=600))
    lab.clock.advance(FIRST_LOOK)
    lab.deliver()
    assert 600 <= lab.delays()[0] <= 660


def test_a_dead_receiver_is_not_hammered(lab: Lab) -> None:
    """After three failures one call probes; the other notices wait, and do not count attempts."""
    for number in range(50):
        lab.save(short(f"{number}.jpg"))
    lab.receiver.troubles.extend([ServiceThrottled("Later.", retry_after=300)] * 100)
    lab.clock.advance(FIRST_LOOK)
    lab.deliver()
    assert len(lab.receiver.troubles) == 99
    assert len(lab.notices.held) == 50
    assert sum(notice.attempts for notice, _ in lab.notices.held) == 1
    assert min(lab.delays()) >= 290


def test_a_day_is_enough(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.save(short("a.jpg"))
    lab.receiver.troubles.extend([DOWN] * 1_000)
    with caplog.at_level(logging.INFO):
        lab.run_for(GIVE_UP + 2 * timedelta(seconds=LONGEST))
    assert lab.notices.held == []
    *deferred, last = outcomes(caplog)
    assert set(deferred) == {"deferred"}
    assert last == "given_up"
    assert caplog.records[-1].levelno == logging.ERROR
    assert 15 < 1_000 - len(lab.receiver.troubles) < 40
    assert lab.outages


def test_an_outage_is_told_of_after_a_quarter_of_an_hour(lab: Lab) -> None:
    lab.save(short("a.jpg"))
    lab.receiver.troubles.extend([DOWN] * 1_000)
    lab.run_for(timedelta(minutes=10))
    assert lab.outages == []
    lab.run_for(timedelta(hours=1))
    assert lab.outages


def test_a_receiver_that_is_gone_for_good_ends_the_notice(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.save(short("a.jpg"))
    lab.receiver.troubles.append(BadResponse("Gone."))
    with caplog.at_level(logging.INFO):
        lab.run_for(LATEST_SAVE)
    assert outcomes(caplog) == ["refused"]
    assert caplog.records[-1].levelno == logging.ERROR
    assert lab.receiver.deliveries == []


def test_what_an_operator_mends_is_noticed_in_a_quarter_of_an_hour(lab: Lab) -> None:
    lab.save(short("a.jpg"))
    lab.receiver.troubles.extend([EndpointRefused("404.")] * 30)
    lab.run_for(timedelta(hours=4))
    lab.receiver.troubles.clear()
    lab.run_for(timedelta(minutes=16))
    assert lab.receiver.latest("a.jpg")


def test_storage_that_fails_puts_the_notice_off(lab: Lab) -> None:
    lab.save(short("a.jpg"))
    lab.clock.advance(FIRST_LOOK)
    lab.injector.fail(1)
    lab.deliver()
    assert lab.delays() == [2 * FIRST_FOR_STORAGE]
    lab.run_for(timedelta(minutes=2))
    assert lab.receiver.latest("a.jpg")


def test_a_notice_that_cannot_be_put_off_stays_with_the_host(lab: Lab) -> None:
    lab.receiver.troubles.append(DOWN)
    notice = NotificationMessage("a.jpg", lab.save(short("a.jpg")).updated)
    lab.injector.fail(2)
    with pytest.raises(StorageUnavailable):
        lab.notifier.notify(notice)


def test_a_fault_of_our_own_raises_and_frees_its_turn(lab: Lab) -> None:
    notice = NotificationMessage("a.jpg", lab.save(short("a.jpg")).updated)
    lab.receiver.troubles.extend([RuntimeError("bug")] * 5)
    for _ in range(5):
        with pytest.raises(RuntimeError):
            lab.notifier.notify(notice)
    lab.notifier.notify(notice)
    assert lab.receiver.latest("a.jpg")


def test_a_record_that_is_told_is_the_record_at_that_time(lab: Lab) -> None:
    """What somebody corrected while the receiver was away is told, under an identity of its own."""
    record = lab.save(short("a.jpg"))
    lab.receiver.troubles.append(DOWN)
    lab.clock.advance(FIRST_LOOK)
    lab.deliver()
    edited = replace(record, caption="Mine.", updated=lab.clock())
    lab.catalog.save(edited, lab.catalog.get("a.jpg"))
    lab.run_for(LATEST_SAVE)
    assert lab.receiver.latest("a.jpg")["caption"] == "Mine."


def test_the_log_holds_nothing_of_the_image_and_no_key(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    path = "a\nb.jpg"
    lab.save(replace(FULL, status="captioned", path=path, id=record_id(path)))
    lab.receiver.troubles.append(DOWN)
    with caplog.at_level(logging.DEBUG):
        lab.run_for(LATEST_SAVE)
    assert caplog.records
    for word in ("dog", "SALE", "Strand", SECRET, path):
        assert word not in caplog.text


def removed(lab: Lab) -> None:
    stored = lab.catalog.get("a.jpg")
    assert stored
    lab.endings.remove(stored)


def test_a_removal_says_which_and_when_and_nothing_else(lab: Lab) -> None:
    lab.catalog.save(short("a.jpg", caption="Secret."), None)
    removed(lab)
    lab.clock.advance(FIRST_LOOK)
    lab.deliver()
    [(_, event)] = lab.receiver.deliveries
    assert event["type"] == "image.deleted"
    assert event["data"] == {"path": "a.jpg", "id": record_id("a.jpg")}
    assert event["timestamp"] == "2026-11-22T10:00:00Z"
    assert lab.notices.held == []


def test_nothing_is_removed_that_could_not_be_announced(lab: Lab) -> None:
    lab.catalog.save(short("a.jpg"), None)
    stored = lab.catalog.get("a.jpg")
    assert stored
    lab.injector.fail()
    with pytest.raises(StorageUnavailable):
        lab.endings.remove(stored)
    assert lab.catalog.get("a.jpg")


def test_an_image_that_is_there_again_was_not_deleted(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.catalog.save(short("a.jpg"), None)
    removed(lab)
    lab.clock.advance(1)
    lab.catalog.save(short("a.jpg", created=lab.clock()), None)
    lab.clock.advance(FIRST_LOOK)
    with caplog.at_level(logging.INFO):
        lab.deliver()
    assert outcomes(caplog) == ["dropped"]
    assert lab.receiver.deliveries == []


def test_a_removal_that_is_late_is_waited_for(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """And dropped when it never comes: the process died before it."""
    lab.catalog.save(short("a.jpg"), None)
    lab.injector.fail(3)
    with pytest.raises(StorageUnavailable):
        removed(lab)
    lab.clock.advance(FIRST_LOOK)
    lab.deliver()
    assert len(lab.notices.held) == 1
    with caplog.at_level(logging.INFO):
        lab.run_for(LATEST_SAVE + timedelta(hours=3))
    assert outcomes(caplog) == ["dropped"]
    assert lab.receiver.deliveries == []
