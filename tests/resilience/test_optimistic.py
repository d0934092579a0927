"""Optimistic concurrency: an attempt that met another's save is made again."""

from __future__ import annotations

import pytest

from captioning.errors import BlobChanged, BlobGone, RecordChanged
from captioning.resilience.optimistic import until_saved


class Attempts:
    """Raises these errors in turn, then saves."""

    def __init__(self, *errors: Exception) -> None:
        self.made = 0
        self._errors = list(errors)

    def __call__(self) -> str:
        self.made += 1
        if self._errors:
            raise self._errors.pop(0)
        return "saved"


def changed() -> RecordChanged:
    return RecordChanged("Another version is there.")


@pytest.mark.parametrize("conflicts", [0, 1, 20])
def test_it_is_made_until_nothing_came_in_between(conflicts: int) -> None:
    attempt = Attempts(*(changed() for _ in range(conflicts)))
    assert until_saved(attempt) == "saved"
    assert attempt.made == conflicts + 1


def test_the_last_of_so_many_conflicts_is_raised() -> None:
    last = changed()
    attempt = Attempts(changed(), changed(), last)
    with pytest.raises(RecordChanged) as raised:
        until_saved(attempt, attempts=3)
    assert raised.value is last
    assert attempt.made == 3


def test_the_last_attempt_may_succeed() -> None:
    attempt = Attempts(changed(), changed())
    assert until_saved(attempt, attempts=3) == "saved"


@pytest.mark.parametrize("error", [BlobChanged("Overwritten."), BlobGone("Deleted."), ValueError()])
def test_what_is_no_conflict_ends_it(error: Exception) -> None:
    attempt = Attempts(error)
    with pytest.raises(type(error)):
        until_saved(attempt)
    assert attempt.made == 1


def test_a_caller_says_what_else_is_a_conflict() -> None:
    attempt = Attempts(BlobChanged("Overwritten."), changed())
    assert until_saved(attempt, conflicts=(RecordChanged, BlobChanged)) == "saved"
    assert attempt.made == 3


def test_an_attempt_that_saves_nothing_may_return_nothing() -> None:
    assert until_saved(lambda: None) is None
