"""Many threads at one gate, in virtual time: few useless calls, no lost slot, no endless wait."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioning.errors import (
    AuthRefused,
    CorruptImage,
    RecordChanged,
    ServiceDeferred,
    ServiceThrottled,
    ServiceTimeout,
    ServiceUnavailable,
)
from captioning.resilience.gate import Gate
from captioning.resilience.retries import ATTEMPTS, RetryingCalls, WaitBudget
from testing.simulation.virtual_threads import Simulation

Outcome = BaseException | None


def throttled(retry_after: float | None = None) -> ServiceThrottled:
    return ServiceThrottled("Too often.", retry_after)


def unavailable() -> ServiceUnavailable:
    return ServiceUnavailable("Down.")


@dataclass
class Crowd:
    """Threads that each ask for one image after the other, at one gate, until `end`. `says` is
    what the service answers to a call that begins at a time; it takes 0.2 seconds."""

    says: Callable[[float], Outcome]
    end: float
    threads: int = 16

    def __post_init__(self) -> None:
        self.time = Simulation()
        self.calls: list[float] = []
        self.answers: list[float] = []
        self.deferred: list[ServiceDeferred] = []
        self.chance = random.Random(4)
        self.gate = Gate(
            "It", clock=self.time.clock, wait=self.time.wait, uniform=self.chance.uniform
        )

    def go(self) -> None:
        self.time.run(*[self._images] * self.threads)

    def _images(self) -> None:
        while self.time.now < self.end:
            answers = len(self.answers)
            self._image()
            self.time.sleep(0.1 if len(self.answers) > answers else 1.0)

    def _image(self) -> None:
        run = RetryingCalls(
            self.gate,
            WaitBudget(30.0, self.time.clock),
            lambda: None,
            lambda _: None,
            sleep=self.time.sleep,
            uniform=self.chance.uniform,
        )
        try:
            run.ask(self._call)
            self.answers.append(self.time.now)
        except ServiceDeferred as error:
            self.deferred.append(error)

    def _call(self) -> None:
        begun = self.time.now
        self.calls.append(begun)
        self.time.sleep(0.2)
        if outcome := self.says(begun):
            raise outcome

    def count(self, times: list[float], begin: float, end: float) -> int:
        return sum(begin <= time < end for time in times)


@pytest.mark.parametrize("threads", [1, 16])
@pytest.mark.parametrize(
    "error",
    [throttled(), throttled(1.0), throttled(20.0), unavailable(), AuthRefused("Key.")],
    ids=["429", "429 Retry-After 1", "429 Retry-After 20", "503", "401"],
)
def test_a_stretch_of_refusals_costs_few_calls_and_is_got_over(
    error: ServiceDeferred, threads: int
) -> None:
    begin, end = 5.0, 65.0
    longest = 300.0 if isinstance(error, AuthRefused) else 30.0
    over = end + longest + 25.0

    def says(now: float) -> Outcome:
        if begin <= now < end:
            return type(error)(error.message, error.retry_after)
        return None

    crowd = Crowd(says, over, threads)
    crowd.go()
    useless = crowd.count(crowd.calls, begin + 0.5, end)
    assert useless / (end - begin) < 0.5
    assert all(type(one) is type(error) for one in crowd.deferred)
    assert min(time for time in crowd.answers if time > end) < end + longest + 1
    before = crowd.count(crowd.answers, 0, begin) / begin
    after = crowd.count(crowd.answers, over - 5, over) / 5
    assert after > 0.9 * before
    assert crowd.gate._in_flight == 0


def test_a_service_that_takes_ten_calls_a_second_gets_half_of_them() -> None:
    taken: list[float] = []

    def says(now: float) -> Outcome:
        if sum(now - 1 < time for time in taken[-10:]) == 10:
            return throttled(1.0)
        taken.append(now)
        return None

    crowd = Crowd(says, 120.0)
    crowd.go()
    assert len(taken) / 120 > 4, "of 53 that come without a limit"
    assert len(crowd.calls) - len(taken) < 0.6 * len(taken)


def test_a_service_that_refuses_one_call_in_five_keeps_working() -> None:
    chance = random.Random(1)
    crowd = Crowd(lambda _: throttled(1.0) if chance.random() < 0.2 else None, 120.0)
    crowd.go()
    assert len(crowd.answers) / 120 > 2.5
    assert len(crowd.deferred) < 5


OUTCOMES: list[Callable[[], Outcome]] = [
    lambda: None,
    throttled,
    lambda: throttled(5.0),
    lambda: throttled(100.0),
    unavailable,
    lambda: ServiceTimeout("Slow."),
    lambda: AuthRefused("Key."),
    lambda: CorruptImage("?"),
    lambda: ZeroDivisionError("a mistake of ours"),
]
Script = list[tuple[Callable[[], Outcome], float, bool]]
"""What comes of each call, after how many seconds, and whether the run may make it."""


@settings(max_examples=150)
@given(
    script=st.lists(
        st.tuples(
            st.sampled_from(OUTCOMES),
            st.sampled_from([0.0, 0.1, 3.0, 40.0]),
            st.sampled_from([True, True, True, False]),
        ),
        max_size=40,
    ),
    threads=st.integers(1, 6),
)
def test_whatever_happens_slots_come_back_and_a_run_loses_no_more_than_its_patience(
    script: Script, threads: int
) -> None:
    time = Simulation()
    gate = Gate("It", clock=time.clock, wait=time.wait)
    left = list(reversed(script))

    def one() -> None:
        while left:
            begun = time.now

            def call() -> None:
                say, seconds, _ = left.pop() if left else (OUTCOMES[0], 0.0, True)
                time.sleep(seconds)
                if outcome := say():
                    raise outcome

            def may_go_on() -> None:
                time.sleep(0.01)
                if left and not left[-1][2]:
                    left.pop()
                    raise RecordChanged("Taken.")

            patience = WaitBudget(30.0, time.clock)
            run = RetryingCalls(gate, patience, may_go_on, lambda _: None, sleep=time.sleep)
            with suppress(ServiceDeferred, CorruptImage, ZeroDivisionError, RecordChanged):
                run.ask(call)
            lost, last_attempt = 30.0 + 40.0, 40.0
            assert time.now - begun <= lost + last_attempt + ATTEMPTS * 0.01
            time.sleep(0.2)

    time.run(*[one] * threads)
    time.now += gate.rest + 0.001  # more than what rounding leaves of it
    gate.leave(gate.enter(0.0))
    assert gate._in_flight == 0
