"""The gate: who may ask a service, and when, after it said no."""

from __future__ import annotations

import gc
import math
import threading
import weakref

import pytest

from captioning.errors import (
    AuthRefused,
    BadResponse,
    CorruptImage,
    DeploymentBroken,
    ModelGone,
    RecordChanged,
    ServiceDeferred,
    ServiceThrottled,
    ServiceTimeout,
    ServiceUnavailable,
)
from captioning.resilience.gate import Gate
from testing.harness.waiting import HUNG_SECONDS


class Timed:
    """A gate, its clock, and what it said."""

    def __init__(self) -> None:
        self.now = 100.0
        self.broken: list[DeploymentBroken] = []
        self.answers = 0
        self.gate = Gate(
            "The service",
            on_broken=self.broken.append,
            on_answer=self._count,
            clock=lambda: self.now,
            wait=self._wait,
            uniform=lambda *_: 1.0,
        )

    def _count(self) -> None:
        self.answers += 1

    def _wait(self, condition: threading.Condition, seconds: float) -> None:
        self.now += seconds

    def ask(self, error: BaseException | None = None, patience: float = math.inf) -> None:
        """One call."""
        self.gate.leave(self.gate.enter(patience), error)

    def slots(self) -> int:
        """How many calls may go now."""
        epochs: list[int] = []
        while len(epochs) < 100:
            try:
                epochs.append(self.gate.enter(0.0))
            except ServiceDeferred:
                break
        for epoch in epochs:
            self.gate.abandon(epoch)
        return len(epochs)


@pytest.fixture
def timed() -> Timed:
    return Timed()


def throttled(retry_after: float | None = None) -> ServiceThrottled:
    return ServiceThrottled("Too often.", retry_after)


def test_an_open_gate_counts_nothing(timed: Timed) -> None:
    assert timed.slots() == 100
    assert (timed.gate.rest, timed.now) == (0.0, 100.0)


@pytest.mark.parametrize(
    ("error", "rest"),
    [
        (throttled(), 0.5),
        (throttled(0.0), 0.5),
        (throttled(7.0), 7.0),
        (throttled(86_400.0), 3600.0),
        (ServiceUnavailable("Down.", 3.0), 3.0),
        (ServiceUnavailable("Down.", 0.0), 0.5),
        (ServiceTimeout("Slow.", 2.0), 2.0),
        (AuthRefused("Key."), 30.0),
        (ModelGone("Gone.", 40.0), 40.0),
    ],
)
def test_what_closes_it_and_for_how_long(timed: Timed, error: ServiceDeferred, rest: float) -> None:
    timed.ask(error)
    assert timed.gate.rest == rest


@pytest.mark.parametrize(
    "error", [None, CorruptImage("?"), BadResponse("?"), ServiceUnavailable("?"), RecordChanged("")]
)
def test_what_does_not(timed: Timed, error: BaseException | None) -> None:
    timed.ask(error)
    assert timed.slots() == 100


def test_each_closing_without_a_success_is_twice_as_long_up_to_half_a_minute(timed: Timed) -> None:
    rests = []
    for _ in range(8):
        timed.ask(throttled())
        rests.append(timed.gate.rest)
    assert rests == [0.5, 1, 2, 4, 8, 16, 30, 30]
    timed.ask()
    timed.ask(throttled())
    assert timed.gate.rest == 0.5


def test_an_operators_trouble_lasts_up_to_five_minutes(timed: Timed) -> None:
    timed.ask(throttled())
    timed.ask(throttled())
    rests = []
    for _ in range(5):
        timed.ask(AuthRefused("Key."))
        rests.append(timed.gate.rest)
    assert rests == [30, 60, 120, 240, 300]
    timed.ask(throttled())
    assert timed.gate.rest == 0.5


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_jitter_never_comes_before_retry_after_nor_after_the_cap(share: float) -> None:
    def gate() -> Gate:
        return Gate(
            "The service",
            clock=lambda: 0.0,
            uniform=lambda low, high: low + share * (high - low),
        )

    told, own = gate(), gate()
    told.leave(told.enter(0.0), throttled(10.0))
    own.leave(own.enter(0.0), throttled())
    assert told.rest == pytest.approx(10 + share)
    assert own.rest == pytest.approx(0.375 + 0.125 * share)


def test_calls_in_flight_that_all_fail_are_one_event(timed: Timed) -> None:
    epochs = [timed.gate.enter(0.0) for _ in range(16)]
    for epoch in epochs:
        timed.gate.leave(epoch, throttled())
    assert timed.gate.rest == 0.5
    timed.ask(throttled())
    assert timed.gate.rest == 1.0


def test_of_one_event_the_longest_retry_after_counts(timed: Timed) -> None:
    epochs = [timed.gate.enter(0.0) for _ in range(3)]
    for epoch, seconds in zip(epochs, (2.0, 9.0, 4.0), strict=True):
        timed.gate.leave(epoch, throttled(seconds))
    assert timed.gate.rest == 9.0


def test_then_one_call_probes_and_more_follow_gradually(timed: Timed) -> None:
    epochs = [timed.gate.enter(0.0) for _ in range(8)]
    for epoch in epochs:
        timed.gate.leave(epoch, throttled())
    timed.now += 0.5
    slots = []
    for _ in range(12):
        slots.append(timed.slots())
        timed.ask()
    assert slots == [1, 2, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5], "up to half of 8 quickly, then slowly"


def test_a_failing_probe_does_not_forget_how_much_there_was(timed: Timed) -> None:
    for epoch in [timed.gate.enter(0.0) for _ in range(8)]:
        timed.gate.leave(epoch, throttled())
    for _ in range(5):
        timed.ask(throttled())
    for _ in range(3):
        timed.ask()
    assert timed.slots() == 4


def test_in_the_end_it_is_open_again(timed: Timed) -> None:
    timed.ask(throttled())
    for _ in range(3_000):
        timed.ask()
    assert timed.slots() == 100


def test_an_answer_from_before_the_closing_proves_nothing(timed: Timed) -> None:
    epochs = [timed.gate.enter(0.0) for _ in range(16)]
    timed.gate.leave(epochs.pop(), AuthRefused("Key."))
    for epoch in epochs:
        timed.gate.leave(epoch)
    assert timed.answers == 0
    timed.now += 30
    assert timed.slots() == 1


def test_a_call_that_hangs_from_before_the_closing_has_no_slot(timed: Timed) -> None:
    hanging = timed.gate.enter(0.0)
    timed.ask(throttled())
    timed.now += 0.5
    assert timed.slots() == 1
    timed.gate.leave(hanging, ServiceTimeout("Slow."))
    assert timed.slots() == 1


@pytest.mark.parametrize("kind", [ServiceUnavailable, ServiceTimeout])
def test_three_failures_in_a_row_are_an_outage(timed: Timed, kind: type[ServiceDeferred]) -> None:
    rests = []
    for _ in range(5):
        timed.ask(kind("Down."))
        rests.append(timed.gate.rest)
    assert rests == [0, 0, 0.5, 1, 2]


@pytest.mark.parametrize("answer", [None, CorruptImage("?"), BadResponse("?")])
def test_an_answer_in_between_is_none(timed: Timed, answer: BaseException | None) -> None:
    for _ in range(5):
        timed.ask(ServiceUnavailable("Down."))
        timed.ask(ServiceUnavailable("Down."))
        timed.ask(answer)
    assert timed.now == 100.0, "nobody waited"


def test_who_cannot_wait_hears_what_it_was_closed_for(timed: Timed) -> None:
    reason = ModelGone("Mend CAPTION_MODEL.")
    timed.ask(reason)
    timed.now += 10
    with pytest.raises(ModelGone, match="Mend CAPTION_MODEL") as first:
        timed.gate.enter(19.0)
    with pytest.raises(ModelGone) as second:
        timed.gate.enter(-5.0)
    assert first.value.retry_after == second.value.retry_after == 20.0
    assert len({id(reason), id(first.value), id(second.value)}) == 3
    assert timed.now == 110.0
    timed.gate.enter(20.0)
    assert timed.now == 130.0


def test_it_does_not_keep_what_an_error_holds(timed: Timed) -> None:
    error = throttled()
    kept = weakref.ref(error)
    timed.ask(error)
    del error
    gc.collect()
    assert kept() is None, "its traceback holds an image"


def test_who_cannot_wait_for_the_probe_hears_the_same(timed: Timed) -> None:
    timed.ask(AuthRefused("Key."))
    timed.gate.enter(30.0)
    with pytest.raises(AuthRefused) as raised:
        timed.gate.enter(5.0)
    assert raised.value.retry_after is None
    assert timed.now == 135.0


def test_who_cannot_wait_for_a_slot_is_throttled(timed: Timed) -> None:
    timed.ask(AuthRefused("Key."))
    timed.ask()
    for _ in range(2):
        timed.gate.enter(0.0)
    with pytest.raises(ServiceThrottled, match="The service takes few calls") as raised:
        timed.gate.enter(5.0)
    assert raised.value.retry_after is None
    assert timed.now == 135.0


def test_a_call_that_was_not_made_leaves_the_gate_as_it_was(timed: Timed) -> None:
    timed.ask(throttled())
    timed.now += 0.5
    timed.gate.abandon(timed.gate.enter(0.0))
    timed.gate.leave(timed.gate.enter(0.0), KeyboardInterrupt())
    assert timed.slots() == 1
    timed.ask(throttled())
    assert timed.gate.rest == 1.0, "still without a success"


def test_it_says_what_is_broken_and_what_answers(timed: Timed) -> None:
    late = timed.gate.enter(0.0)
    broken = [AuthRefused("Key."), ModelGone("Gone.")]
    timed.ask(broken[0])
    timed.gate.leave(late, broken[1])
    timed.ask(throttled())
    assert (timed.broken, timed.answers) == (broken, 0)
    timed.ask()
    timed.ask(CorruptImage("?"))
    assert timed.answers == 2


@pytest.mark.parametrize("error", [None, AuthRefused("Key.")])
def test_it_says_so_with_the_gate_unlocked(error: BaseException | None) -> None:
    seen: list[float] = []

    def look(*_: object) -> None:
        other = threading.Thread(target=lambda: seen.append(gate.rest), daemon=True)
        other.start()
        other.join(HUNG_SECONDS)

    gate = Gate("The service", on_broken=look, on_answer=look)
    gate.leave(gate.enter(0.0), error)
    assert len(seen) == 1


def test_threads_that_wait_are_woken() -> None:
    gate = Gate("The service", uniform=lambda *_: 0.02)
    gate.leave(gate.enter(0.0), throttled(1.0))
    probe = gate.enter(60.0)
    threads = [
        threading.Thread(target=lambda: gate.leave(gate.enter(60.0)), daemon=True) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    gate.leave(probe)
    for thread in threads:
        thread.join(HUNG_SECONDS)
    assert not any(thread.is_alive() for thread in threads)
