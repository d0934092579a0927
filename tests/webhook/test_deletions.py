"""`image.deleted`: the webhook hears of records that were removed."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from captioning.domain.record import record_id
from captioning.errors import StorageUnavailable
from captioning.webhook.outbox import FIRST_LOOK
from captioning.webhook.sender import LATEST_SAVE
from testing.factories.records import short
from tests.webhook.test_sender import Lab, outcomes


@pytest.fixture
def lab() -> Lab:
    return Lab()


def removed(lab: Lab) -> None:
    stored = lab.catalog.get("a.jpg")
    assert stored
    lab.endings.remove(stored)


def test_it_says_which_and_when_and_nothing_else(lab: Lab) -> None:
    lab.catalog.save(short("a.jpg", caption="Secret."), None)
    removed(lab)
    lab.clock.advance(FIRST_LOOK)
    lab.deliver()
    [event] = lab.receiver.events
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
    assert lab.receiver.events == []


def test_a_removal_that_is_late_is_waited_for(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """And dropped when it never comes: the process died before it."""
    lab.catalog.save(short("a.jpg"), None)
    lab.injector.fail(2)
    with pytest.raises(StorageUnavailable):
        removed(lab)
    lab.clock.advance(FIRST_LOOK)
    lab.deliver()
    assert len(lab.notices.held) == 1
    with caplog.at_level(logging.INFO):
        lab.run_for(LATEST_SAVE + timedelta(hours=3))
    assert outcomes(caplog) == ["dropped"]
    assert lab.receiver.events == []
