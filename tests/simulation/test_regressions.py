"""Sequences that once ended badly, found by `test_states.py`; interrupted at every call of a run,
as which call it was changes with the code."""

from __future__ import annotations

import pytest

from captioning.errors import ServiceThrottled
from testing.simulation.invariants import (
    check_that_nothing_is_lost,
    check_that_nothing_is_paid_twice,
    check_the_end,
)
from testing.simulation.scenario import Interruption, Scenario
from testing.simulation.world import DOG, ODD, VISION

CALLS = range(1, 31)
"""More than a run makes."""


def settle(scenario: Scenario) -> None:
    scenario.settle(lambda: check_that_nothing_is_lost(scenario))
    check_that_nothing_is_paid_twice(scenario)
    check_the_end(scenario)


@pytest.mark.parametrize("call", CALLS)
def test_a_message_that_comes_again_while_the_dead_run_has_the_claim_is_kept(call: int) -> None:
    """Without it only reconciling would come back to the image."""
    scenario = Scenario()
    scenario.change_service(VISION, ServiceThrottled("Later.", retry_after=7.0))
    scenario.upload("a", DOG)
    scenario.deliver(0, [])
    scenario.store.now.advance(30)
    scenario.deliver(0, [Interruption(call, False, "crash")])
    settle(scenario)


@pytest.mark.parametrize("call", CALLS)
def test_what_a_run_booked_is_not_booked_again_after_another_dies(call: int) -> None:
    scenario = Scenario()
    scenario.upload("a", ODD)
    scenario.recaption("a")
    scenario.deliver(0, [])
    scenario.deliver(0, [Interruption(call, True, "crash")])
    settle(scenario)


@pytest.mark.parametrize("call", CALLS)
def test_a_request_that_storage_interrupts_is_answered(call: int) -> None:
    scenario = Scenario()
    scenario.upload("a", DOG)
    scenario.recaption("a")
    scenario.deliver(0, [])
    scenario.deliver(0, [Interruption(call, True, "fault")])
    settle(scenario)
