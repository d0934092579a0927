"""Any sequence of uploads, deliveries, crashes, faults and clock steps ends well.

Hypothesis looks for one that does not. CI tries the same few each time; many more with
`STATE_EXAMPLES=5000 .venv/bin/python -m pytest tests/simulation/test_states.py`.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from captioning.domain.record import CaptionInput
from captioning.errors import (
    AuthRefused,
    ServiceDeferred,
    ServiceThrottled,
    ServiceUnavailable,
)
from testing.simulation.editors import FIELDS
from testing.simulation.invariants import (
    check_that_a_caption_stays,
    check_that_every_end_is_announced,
    check_that_everything_is_found,
    check_that_nothing_is_lost,
    check_that_nothing_is_paid_twice,
    check_that_the_receiver_knows,
    check_the_end,
)
from testing.simulation.scenario import ACTIONS, Interruption, Scenario
from testing.simulation.world import CAT, CORRUPT, DOG, FILTERED, MODEL, ODD, VISION

EXAMPLES = int(os.environ.get("STATE_EXAMPLES", "0"))
PATHS = st.sampled_from(["a", "b", "c/ü"])
CONTENTS = st.sampled_from([DOG, DOG, CAT, CORRUPT, FILTERED, ODD])
PICK = st.integers(0, 3)
INTERRUPTIONS = st.lists(
    st.builds(Interruption, st.integers(1, 20), st.booleans(), st.sampled_from(ACTIONS)), max_size=2
)
TROUBLE: list[ServiceDeferred | None] = [
    None,
    ServiceThrottled("Later.", retry_after=7.0),
    ServiceUnavailable("Down."),
    AuthRefused("Who?"),
]


class PipelineStates(RuleBasedStateMachine):
    """The simulated app, and everything that can happen to it."""

    @initialize(
        daily_usd=st.sampled_from([None, 2.0]),
        caption_input=st.sampled_from(["image+tags", "image"]),
        has_webhook=st.booleans(),
    )
    def begin(
        self, daily_usd: float | None, caption_input: CaptionInput, *, has_webhook: bool
    ) -> None:
        logging.disable(logging.CRITICAL)
        self.scenario = Scenario(daily_usd, caption_input, has_webhook=has_webhook)

    @rule(path=PATHS, content=CONTENTS)
    def upload(self, path: str, content: bytes) -> None:
        self.scenario.upload(path, content)

    @rule(path=PATHS)
    def upload_again(self, path: str) -> None:
        if blob := self.scenario.store.images.held.get(path):
            self.scenario.upload(path, blob[1])

    @rule(path=PATHS, pick=PICK)
    def delete(self, path: str, pick: int) -> None:
        self.scenario.delete(path)
        if pick:
            self.scenario.upload(path, DOG)

    @rule(deliveries=st.lists(st.tuples(PICK, INTERRUPTIONS), min_size=1, max_size=4))
    def deliver(self, deliveries: list[tuple[int, list[Interruption]]]) -> None:
        for pick, interruptions in deliveries:
            self.scenario.deliver(pick, interruptions)

    @rule(pick=PICK, is_lost=st.booleans())
    def event_grid_errs(self, pick: int, is_lost: bool) -> None:
        (self.scenario.lose_event if is_lost else self.scenario.repeat_event)(pick)

    @rule(path=PATHS)
    def ask_for_a_new_caption(self, path: str) -> None:
        self.scenario.recaption(path)

    @rule(path=PATHS, field=st.sampled_from(FIELDS))
    def correct(self, path: str, field: str) -> None:
        self.scenario.correct(path, field)

    @rule(service=st.sampled_from([VISION, MODEL]), trouble=st.sampled_from(TROUBLE))
    def services_change(self, service: str, trouble: ServiceDeferred | None) -> None:
        self.scenario.change_service(service, trouble)

    @rule(seconds=st.sampled_from([1, 5, 30, 130, 1000]))
    def time_passes(self, seconds: int) -> None:
        self.scenario.store.now.advance(seconds)

    @rule(interruptions=INTERRUPTIONS)
    def reconcile(self, interruptions: list[Interruption]) -> None:
        self.scenario.reconcile(0, interruptions)

    @invariant()
    def nothing_is_lost(self) -> None:
        if hasattr(self, "scenario"):
            check_that_nothing_is_lost(self.scenario)

    @invariant()
    def everything_is_found(self) -> None:
        if hasattr(self, "scenario"):
            check_that_everything_is_found(self.scenario)

    @invariant()
    def every_end_is_announced(self) -> None:
        if hasattr(self, "scenario"):
            check_that_every_end_is_announced(self.scenario)

    @invariant()
    def a_caption_stays(self) -> None:
        if hasattr(self, "scenario"):
            check_that_a_caption_stays(self.scenario)

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        if hasattr(self, "scenario"):
            check_that_nothing_is_paid_twice(self.scenario)

    def teardown(self) -> None:
        logging.disable(logging.NOTSET)
        if hasattr(self, "scenario"):
            self.scenario.settle(self.nothing_is_lost)
            check_the_end(self.scenario)
            check_that_the_receiver_knows(self.scenario)


TestPipelineStates: Any = PipelineStates.TestCase
TestPipelineStates.settings = settings(
    max_examples=EXAMPLES or 500,
    derandomize=not EXAMPLES,
    stateful_step_count=20,
    suppress_health_check=list(HealthCheck),
    phases=[phase for phase in Phase if phase is not Phase.explain],
    report_multiple_bugs=False,
)
