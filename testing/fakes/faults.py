"""A clock that stands still until a test moves it, and faults injected into calls on demand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, TypeVar, cast

from captioning.errors import StorageUnavailable
from testing.factories.records import START

Part = TypeVar("Part")
Answer = TypeVar("Answer")


class Clock:
    """A clock that moves only by `advance`."""

    def __init__(self, start: datetime = START) -> None:
        self.time = start

    def __call__(self) -> datetime:
        """The time."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Moves the clock on."""
        self.time += timedelta(seconds=seconds)


class Crash(BaseException):
    """The process ends here; not an Exception, so that no code under test handles it."""


class FaultInjector:
    """Wraps parts (a table, a queue) and injects faults into their calls.

    A planned action runs before the n-th call takes effect, or after. Parts that share an injector
    share its count of calls.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_dead = False
        self._plans: dict[tuple[int, bool], Callable[[], object]] = {}
        self._lock = Lock()

    def wrap(self, part: Part) -> Part:
        """The part, with every call to it passing through this injector."""
        return cast(Part, _FaultyPart(part, self))

    def plan(self, action: Callable[[], object], call: int = 1, *, after: bool = False) -> None:
        """Plans an action for the n-th call from now: before it takes effect, or after."""
        with self._lock:
            self._plans[len(self.calls) + call, after] = action

    def fail(self, call: int = 1, *, after: bool = False) -> None:
        """Has the n-th call from now raise StorageUnavailable. `after`: the call takes effect and
        only its answer is lost."""
        self.plan(_refuse, call, after=after)

    def crash(self, call: int = 1, *, after: bool = False) -> None:
        """Ends the process at the n-th call from now: that call and all later ones raise Crash."""
        self.plan(self._die, call, after=after)

    def cancel(self) -> None:
        """Drops all plans."""
        with self._lock:
            self._plans.clear()

    def call(self, name: str, action: Callable[[], Answer]) -> Answer:
        """Makes the call, with what is planned before and after it."""
        if self.is_dead:
            raise Crash
        with self._lock:
            self.calls.append(name)
            before, after = (self._plans.pop((len(self.calls), m), None) for m in (False, True))
        if before:
            before()
        answer = action()
        if after:
            after()
        return answer

    def _die(self) -> None:
        self.is_dead = True
        raise Crash


class _FaultyPart:
    def __init__(self, part: Any, injector: FaultInjector) -> None:
        self._part, self._injector = part, injector

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._part, name)
        if not callable(member):
            return member
        known_as = f"{type(self._part).__name__}.{name}"
        return lambda *given, **named: self._injector.call(
            known_as, lambda: member(*given, **named)
        )


def _refuse() -> None:
    raise StorageUnavailable("storage answered 500 (in memory)")
