"""How an adapter calls its service: through a `Calls`, which knows when to wait and to retry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from captioning.domain.usage import Bill

Answer = TypeVar("Answer")


class Memory(Protocol):
    """Partial answers of a service by name, as JSON values. A run that follows one which failed
    halfway does not pay for them again."""

    def known(self, part: str) -> Any:
        """The answer that was saved; None if there is none."""

    def remember(self, part: str, answer: Any) -> None:
        """Saves an answer; None removes it."""


class Calls(Protocol):
    """One run's calls to one service; safe to share between threads."""

    @property
    def memory(self) -> Memory:
        """Where answers to parts of a request are saved."""

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """Makes one request when the service may be called, and retries it after the pause that the
        service asks for. Raises what the last attempt raised, or ServiceDeferred if the wait would
        be too long."""

    def billed(self, bill: Bill) -> None:
        """Records the cost of an answer, as soon as it is there and whatever becomes of it."""


class Forgetful:
    """A Memory that saves nothing."""

    def known(self, part: str) -> Any:  # noqa: ARG002 - a Memory's
        """Always None."""
        return None

    def remember(self, part: str, answer: Any) -> None:
        """Drops the answer."""


FORGETFUL = Forgetful()


class PlainCalls:
    """Makes each request once, without waiting; ignores bills."""

    memory: Memory = FORGETFUL

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """Makes the request."""
        return call()

    def billed(self, bill: Bill) -> None:
        """Ignores the bill."""


PLAIN = PlainCalls()
