"""How runs call the services: a gate a service and process, a patience a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from captioning.app.timeouts import WAIT_SECONDS
from captioning.domain.usage import Bill
from captioning.resilience.calls import Calls, Memory
from captioning.resilience.gate import Gate
from captioning.resilience.retries import Patience, RunCalls
from captioning.resilience.service_health import Service, ServiceHealth
from captioning.reuse.cache import CallMaker


def call_maker(health: ServiceHealth | None = None) -> CallMaker:
    """What makes a run's calls; `health`, where there is one, learns what they meet."""
    vision = _gate("Azure AI Vision", "vision", health)
    model = _gate("The caption service", "model", health)

    def calls(
        before: Callable[[], None], billed: Callable[[Bill], None], memory: Memory
    ) -> tuple[Calls, Calls]:
        patience = Patience(WAIT_SECONDS)
        return (
            RunCalls(vision, patience, before, billed, memory=memory),
            RunCalls(model, patience, before, billed),
        )

    return calls


def _gate(title: str, service: Service, health: ServiceHealth | None) -> Gate:
    if health is None:
        return Gate(title)
    return Gate(
        title,
        on_broken=partial(health.broken, service),
        on_answer=partial(health.answered, service),
    )
