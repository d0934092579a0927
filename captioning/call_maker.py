"""How runs call the services: a gate a service and process, a patience a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from captioning.calls import Calls, Memory
from captioning.contents import CallMaker
from captioning.gate import Gate
from captioning.run_calls import Patience, RunCalls
from captioning.service_health import ServiceHealth
from captioning.timeouts import WAIT_SECONDS
from captioning.usage import Bill


def call_maker(health: ServiceHealth) -> CallMaker:
    """What makes a run's calls; `health` learns what they meet."""
    vision = Gate(
        "Azure AI Vision",
        on_broken=partial(health.broken, "vision"),
        on_answer=partial(health.answered, "vision"),
    )
    model = Gate(
        "The caption service",
        on_broken=partial(health.broken, "model"),
        on_answer=partial(health.answered, "model"),
    )

    def calls(
        before: Callable[[], None], billed: Callable[[Bill], None], memory: Memory
    ) -> tuple[Calls, Calls]:
        patience = Patience(WAIT_SECONDS)
        return (
            RunCalls(vision, patience, before, billed, memory=memory),
            RunCalls(model, patience, before, billed),
        )

    return calls
