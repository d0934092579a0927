"""How an adapter asks its service: through what it is given, which knows when to wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from captioning.domain.usage import Bill

Answer = TypeVar("Answer")


class Memory(Protocol):
    """Answers that are part of what a service is asked for, as JSON values, by a name: a run that
    comes after one that failed halfway does not pay for them again."""

    def known(self, part: str) -> Any:
        """The answer that was kept, or None."""

    def remember(self, part: str, answer: Any) -> None:
        """Saves an answer; None drops it."""


class Calls(Memory, Protocol):
    """One run's calls of one service; safe to share between threads."""

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """Makes one request when the service may be asked, again where it says later; raises what
        the last attempt raised, or ServiceDeferred where it would have to wait too long."""

    def billed(self, bill: Bill) -> None:
        """Notes what an answer costs, as soon as it is there and whatever becomes of it."""


class Forgetful:
    """No memory."""

    def known(self, part: str) -> Any:  # noqa: ARG002 - a Memory's
        """Nothing."""
        return None

    def remember(self, part: str, answer: Any) -> None:
        """Nothing."""


class PlainCalls(Forgetful):
    """Each request once and at once; bills go nowhere."""

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """Makes the request."""
        return call()

    def billed(self, bill: Bill) -> None:
        """Nothing."""


PLAIN = PlainCalls()
