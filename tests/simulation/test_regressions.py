"""Sequences that once ended badly, as `test_pipeline_states.py` found them."""

from __future__ import annotations

from captioning.errors import ServiceThrottled
from testing.simulation.invariants import (
    check_that_nothing_is_lost,
    check_that_nothing_is_paid_twice,
    check_the_end,
)
from testing.simulation.story import Meanwhile, Story
from testing.simulation.world import DOG, ODD, VISION


def settle(story: Story) -> None:
    story.settle(lambda: check_that_nothing_is_lost(story))
    check_that_nothing_is_paid_twice(story)
    check_the_end(story)


def test_a_message_that_comes_again_while_the_dead_run_has_the_claim_is_kept() -> None:
    """Without it only reconciling would come back to the image."""
    story = Story()
    story.change_service(VISION, ServiceThrottled("Later.", retry_after=7.0))
    story.upload("a", DOG)
    story.deliver(0, [])
    story.store.now.advance(30)
    story.deliver(0, [Meanwhile(7, False, "crash")])
    settle(story)


def test_what_a_run_booked_is_not_booked_again_after_another_dies() -> None:
    story = Story()
    story.upload("a", ODD)
    story.recaption("a")
    story.deliver(0, [])
    story.deliver(0, [Meanwhile(12, True, "crash")])
    settle(story)


def test_a_request_that_storage_interrupts_is_answered() -> None:
    story = Story()
    story.upload("a", DOG)
    story.recaption("a")
    story.deliver(0, [])
    story.deliver(0, [Meanwhile(13, True, "fault")])
    settle(story)
