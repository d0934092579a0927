"""What a run does with a service that says no: alone, and many threads at one gate."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from captioning.domain.usage import Bill
from captioning.errors import (
    AuthRefused,
    CorruptImage,
    RecordChanged,
    ServiceDeferred,
    ServiceThrottled,
    ServiceTimeout,
    ServiceUnavailable,
    StorageUnavailable,
)
from captioning.resilience.gate import Gate
from captioning.resilience.retries import RetryingCalls, WaitBudget

Outcome = BaseException | None


@dataclass
class Alone:
    """One run and a service that says what it is told to, each time in `seconds`."""

    script: list[Outcome]
    patience: float = 30.0
    seconds: float = 0.0
    now: float = 0.0
    calls: list[float] = field(default_factory=list)
    renewed: int = 0
    bills: list[Bill] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate = Gate("It", clock=lambda: self.now, wait=self._wait, uniform=lambda *_: 1.0)
        self.budget = WaitBudget(self.patience, lambda: self.now)
        self.run = RetryingCalls(
            self.gate,
            self.budget,
            self.renew,
            self.bills.append,
            sleep=self._sleep,
            uniform=lambda *_: 1.0,
        )

    def ask(self) -> str:
        return self.run.ask(self._call)

    def renew(self) -> None:
        self.renewed += 1

    def _call(self) -> str:
        assert self.renewed == len(self.calls) + 1
        self.calls.append(self.now)
        self.now += self.seconds
        outcome = self.script.pop(0) if self.script else None
        if outcome:
            raise outcome
        return "answer"

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _wait(self, _: object, seconds: float) -> None:
        self.now += seconds


def throttled(retry_after: float | None = None) -> ServiceThrottled:
    return ServiceThrottled("Too often.", retry_after)


def unavailable() -> ServiceUnavailable:
    return ServiceUnavailable("Down.")


def test_an_answer_is_asked_for_once() -> None:
    alone = Alone([])
    assert alone.ask() == "answer"
    assert (alone.calls, alone.budget.left) == ([0.0], 30.0)


def test_a_bill_is_passed_on() -> None:
    alone = Alone([])
    alone.run.billed(Bill(("tags",)))
    assert alone.bills == [Bill(("tags",))]


def test_one_failure_is_tried_again_soon() -> None:
    alone = Alone([unavailable(), unavailable()])
    assert alone.ask() == "answer"
    assert alone.calls == [0.0, 0.5, 1.5]
    assert alone.budget.left == 28.5


def test_retry_after_is_obeyed() -> None:
    alone = Alone([throttled(4.0)])
    assert alone.ask() == "answer"
    assert alone.calls == [0.0, 4.0]
    assert alone.budget.left == 26.0


def test_four_attempts_are_enough() -> None:
    alone = Alone([unavailable() for _ in range(9)])
    with pytest.raises(ServiceUnavailable) as raised:
        alone.ask()
    assert alone.calls == [0.0, 0.5, 1.5, 3.5]
    assert raised.value.retry_after == 1.0, "the gate's second closing"


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (ServiceTimeout("Slow."), None),
        (ServiceTimeout("Slow.", 3.0), 3.0),
        (AuthRefused("Key."), 30.0),
        (throttled(31.0), 31.0),
        (throttled(7200.0), 7200.0),
    ],
)
def test_what_is_not_tried_again_says_how_long_it_takes(
    error: ServiceDeferred, wait: float | None
) -> None:
    alone = Alone([error])
    with pytest.raises(type(error)) as raised:
        alone.ask()
    assert raised.value is error
    assert (error.retry_after, len(alone.calls), alone.now) == (wait, 1, 0.0)


def test_an_answer_about_the_image_is_passed_on_at_once() -> None:
    alone = Alone([CorruptImage("?")])
    with pytest.raises(CorruptImage):
        alone.ask()
    assert len(alone.calls) == 1


def test_calls_that_failed_use_the_patience_up() -> None:
    alone = Alone([unavailable() for _ in range(9)], seconds=12.0)
    with pytest.raises(ServiceUnavailable):
        alone.ask()
    assert alone.calls == [0.0, 12.5, 25.5]
    assert alone.budget.left < 0


def test_calls_that_succeed_do_not() -> None:
    alone = Alone([], seconds=50.0)
    alone.ask()
    assert alone.budget.left == 30.0


def test_without_patience_an_open_gate_is_entered_all_the_same() -> None:
    alone = Alone([unavailable()], patience=-1.0)
    with pytest.raises(ServiceUnavailable):
        alone.ask()
    assert alone.ask() == "answer"


def test_what_does_not_fit_into_the_patience_is_not_begun() -> None:
    alone = Alone([unavailable()], patience=0.4)
    with pytest.raises(ServiceUnavailable):
        alone.ask()
    assert (len(alone.calls), alone.now) == (1, 0.0)


def test_two_services_share_one_patience() -> None:
    alone, other = Alone([throttled(20.0)]), Alone([throttled(20.0)])
    other.run = RetryingCalls(other.gate, alone.budget, other.renew, other.bills.append)
    alone.ask()
    with pytest.raises(ServiceThrottled):
        other.ask()


@pytest.mark.parametrize("error", [RecordChanged("Taken."), StorageUnavailable("Away.")])
def test_a_run_that_may_not_go_on_leaves_the_gate_as_it_was(error: Exception) -> None:
    alone = Alone([throttled()])
    with pytest.raises(ServiceThrottled):
        RetryingCalls(alone.gate, WaitBudget(0.0), alone.renew, alone.bills.append).ask(alone._call)
    alone.now += 1

    def refuse() -> None:
        raise error

    run = RetryingCalls(alone.gate, alone.budget, refuse, alone.bills.append)
    for _ in range(5):
        with pytest.raises(type(error)) as raised:
            run.ask(alone._call)
    assert raised.value is error
    assert alone.ask() == "answer"
    assert alone.now == 1


def test_an_interrupt_frees_the_slot() -> None:
    alone = Alone([throttled(1.0), KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        alone.ask()
    assert alone.ask() == "answer"
