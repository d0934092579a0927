"""Notes of broken services: what is said, what it costs, and that it never fails a run."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest

from captioning.errors import AuthRefused, ModelGone, StorageUnavailable
from captioning.resilience.service_health import KIND, ServiceHealth
from captioning.storage.state import StateTable
from testing.factories.records import START
from testing.harness.storage import Storage

GONE = ModelGone("There is no deployment of this name.")


class Counted:
    """State that counts what is asked of it, and fails when it is told to."""

    def __init__(self, state: StateTable) -> None:
        self._state = state
        self.asked: list[str] = []
        self.fails = False

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        if self.fails:
            raise StorageUnavailable("storage answered 503")
        return getattr(self._state, name)


class Process:
    """One process's view, with a clock."""

    def __init__(self, state: StateTable) -> None:
        self.state = Counted(state)
        self.time = START
        self.health = ServiceHealth(self.state, lambda: self.time)

    def after(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def state(storage: Storage) -> StateTable:
    return storage.state


@pytest.fixture
def process(state: StateTable) -> Process:
    return Process(state)


def test_trouble_is_seen_by_other_processes_and_ends_with_an_answer(
    process: Process, state: StateTable
) -> None:
    web = Process(state).health
    assert web.troubles() == {}
    process.health.answered("model")
    process.health.broken("model", GONE)
    process.health.broken("vision", AuthRefused("The key is refused."))
    assert web.troubles() == {"model": "model_gone", "vision": "auth"}
    process.health.answered("model")
    assert web.troubles() == {"vision": "auth"}


def test_a_note_says_since_when(process: Process, state: StateTable) -> None:
    process.health.broken("model", GONE)
    process.after(30)
    process.health.broken("model", AuthRefused("The key is refused."))
    assert state.get(KIND, "model") == {
        "code": "auth",
        "message": "The key is refused.",
        "since": START.isoformat(),
        "at": process.time.isoformat(),
    }
    process.health.answered("model")
    process.after(30)
    process.health.broken("model", GONE)
    assert state.get(KIND, "model")["since"] == process.time.isoformat()


def test_a_storm_of_failures_is_noted_once_in_30_seconds(process: Process) -> None:
    for _ in range(299):
        process.health.broken("model", GONE)
        process.after(0.1)
    assert process.state.asked == ["get", "put"]
    process.after(0.1)
    process.health.broken("model", GONE)
    assert process.state.asked == ["get", "put"] * 2
    process.health.broken("vision", GONE)
    assert process.state.asked == ["get", "put"] * 3


def test_answers_look_at_the_table_once_a_minute(process: Process) -> None:
    for _ in range(599):
        process.health.answered("model")
        process.after(0.1)
    assert process.state.asked == ["get"]
    process.health.answered("vision")
    assert process.state.asked == ["get"] * 2
    process.after(0.1)
    process.health.answered("model")
    assert process.state.asked == ["get"] * 3


def test_an_answer_ends_what_another_process_left(process: Process, state: StateTable) -> None:
    process.health.answered("model")
    gone = Process(state)
    gone.health.broken("model", GONE)
    process.after(59)
    process.health.answered("model")
    assert gone.health.troubles() == {"model": "model_gone"}
    process.after(1)
    process.health.answered("model")
    assert gone.health.troubles() == {}


def test_a_service_that_comes_and_goes_costs_little(process: Process) -> None:
    for _ in range(100):
        process.health.broken("model", GONE)
        process.health.answered("model")
        process.after(0.1)
    assert process.state.asked == ["get", "put", "get", "delete"]


def test_storage_trouble_does_not_fail_a_run(
    process: Process, caplog: pytest.LogCaptureFixture
) -> None:
    process.state.fails = True
    with caplog.at_level(logging.WARNING):
        process.health.broken("model", GONE)
        process.health.answered("model")
    assert [record.message for record in caplog.records] == [
        "The health of model could not be recorded: storage answered 503"
    ] * 2
    with pytest.raises(StorageUnavailable):
        process.health.troubles()
