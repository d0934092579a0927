"""A crash, a fault or another process at any call of a save or removal: the catalogue shows what it
showed before or the new record, no row is without a record that lists it, and none is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial

import pytest

from captioning.domain.record import CaptionRecord, TextLine
from captioning.errors import RecordChanged, StorageUnavailable
from captioning.ports import EntityTable
from captioning.records.catalog import ABANDONED, Catalog
from captioning.records.layout import Layout
from captioning.search.dictionary import Dictionary
from captioning.search.query import parse
from testing.factories.records import minutes, short
from testing.fakes.faults import Clock, Crash, FaultInjector
from testing.fakes.stores import MemoryTable
from testing.harness.catalog_rows import Watched, check_rows, rows_of
from testing.harness.storage import Storage

PATH = "a.jpg"
FEW = 10
"""Operations of a transaction: the records of these tests take several."""
MOST_CALLS = 40


def said(words: str, moment: int = 0) -> CaptionRecord:
    return short(PATH, minutes(moment), caption=words)


def many(letter: str, moment: int = 0) -> CaptionRecord:
    """A record of 30 words that no other letter's has."""
    text = " ".join(f"{letter}{number}" for number in range(30))
    return short(PATH, minutes(moment), caption=None, text=(TextLine(text, (0, 0, 1, 1)),))


Story = tuple[CaptionRecord | None, CaptionRecord | None]
"""What is there, and what is saved then; None: nothing, or a removal."""
STORIES: dict[str, Story] = {
    "a creation": (None, said("A dog.")),
    "a creation of many words": (None, many("w")),
    "an edit": (said("A dog."), said("A cat.")),
    "growth": (said("A dog."), many("w")),
    "shrinkage": (many("w"), said("A dog.")),
    "other words": (many("w"), many("v")),
    "a new upload": (many("w"), many("w", moment=5)),
    "a removal": (said("A dog."), None),
    "a removal of many words": (many("w"), None),
}


class Place:
    """A catalogue in memory that is looked at after every transaction."""

    def __init__(self, stack: ExitStack, table: EntityTable | None = None) -> None:
        self.now = Clock()
        self.table = Watched(table or MemoryTable(self.now))
        self.words = MemoryTable(self.now)
        self._stack = stack
        self.catalog = self.over(FaultInjector())

    def over(self, injector: FaultInjector) -> Catalog:
        """A process of its own, whose calls to the table go over a line."""
        table, words = injector.wrap(self.table), Dictionary(self.words)
        catalog = Catalog(table, words, Layout(table), now=self.now, most_writes=FEW)
        assert catalog.is_there()
        injector.calls.clear()
        self._stack.callback(catalog.close)
        return catalog

    def shown(self) -> CaptionRecord | None:
        """The record, which lists and searches show as well."""
        stored = self.catalog.get(PATH)
        record = stored.record if stored else None
        expected = [record] if record else []
        assert list(self.catalog.walk()) == expected
        for word in ("dog", "cat", "w7", "v29"):
            for query in (f"{word} ", f"jpg -{word} "):
                asked = parse(query, [], ("en",))
                found = list(self.catalog.search(asked, 5).records)
                assert found == [one for one in expected if asked.matches(one)]
        return record

    def stubs(self) -> list[str]:
        """Those that are left two days later."""
        self.now.advance(timedelta(hours=48).total_seconds())
        self.catalog.settle()
        return [key for key in rows_of(self.table) if key.startswith("stub~")]


def change(catalog: Catalog, story: Story) -> None:
    """Saves or removes as the story says, from what is there."""
    stored = catalog.get(PATH)
    if story[1]:
        catalog.save(story[1], stored)
    elif stored:
        catalog.remove(stored)


def calls(
    stack: ExitStack, story: Story
) -> Iterator[tuple[Place, FaultInjector, Catalog, int, bool]]:
    """A new place for each call that a change makes, before the call and after it."""
    for call in range(1, MOST_CALLS):
        for after in (False, True):
            place = Place(stack)
            if story[0]:
                place.catalog.save(story[0], None)
            injector = FaultInjector()
            yield place, injector, place.over(injector), call, after
        if len(injector.calls) < call:
            return
    raise AssertionError("the change makes more calls than are tried")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_crash_at_any_call_leaves_the_old_or_the_new(story: Story, stack: ExitStack) -> None:
    new = story[1]
    for place, injector, catalog, call, after in calls(stack, story):
        injector.crash(call, after=after)
        try:
            change(catalog, story)
        except Crash:
            assert place.shown() in story
        else:
            assert place.shown() == new
        change(place.catalog, story)
        assert place.shown() == new
        assert place.stubs() == []
        assert place.shown() == new


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_what_is_never_taken_up_again_is_settled(story: Story, stack: ExitStack) -> None:
    for place, injector, catalog, call, after in calls(stack, story):
        injector.crash(call, after=after)
        with suppress(Crash):
            change(catalog, story)
        before = place.shown()
        assert place.stubs() == []
        assert place.shown() == before
        if before is None:
            assert rows_of(place.table) == {}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_fault_at_any_call_leaves_the_old_or_the_new(story: Story, stack: ExitStack) -> None:
    for place, injector, catalog, call, after in calls(stack, story):
        injector.fail(call, after=after)
        try:
            change(catalog, story)
        except (StorageUnavailable, RecordChanged):
            assert place.shown() in story
        else:
            assert place.shown() == story[1]


@pytest.mark.parametrize("other", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_of_two_processes_one_is_first_at_any_call(
    story: Story, other: Story, stack: ExitStack
) -> None:
    """The other one makes its whole change at a call of this one, so it always comes through."""
    theirs = other[1]
    for place, injector, catalog, call, after in calls(stack, story):
        injector.plan(partial(change, place.catalog, other), call, after=after)
        try:
            change(catalog, story)
        except RecordChanged:
            assert place.shown() == theirs
        else:
            assert place.shown() in (story[1], theirs)
        assert place.stubs() == []


def test_a_stub_is_left_alone_while_a_save_may_be_under_way(stack: ExitStack) -> None:
    place, injector = Place(stack), FaultInjector()
    catalog = place.over(injector)
    injector.crash(3)
    with pytest.raises(Crash):
        catalog.save(many("w"), None)
    place.now.advance(ABANDONED.total_seconds())
    assert place.catalog.settle() == 0
    place.now.advance(1)
    assert place.catalog.settle() == 1
    assert place.catalog.settle() == 0
    assert rows_of(place.table) == {}


def test_a_stub_that_a_save_takes_over_meanwhile_is_not_settled(stack: ExitStack) -> None:
    """At any call; the others of the partition are settled all the same."""
    for call in range(1, MOST_CALLS):
        place = Place(stack)
        injector = FaultInjector()
        catalog = place.over(injector)
        injector.crash(3)
        with pytest.raises(Crash):
            catalog.save(many("w"), None)
        place.now.advance(ABANDONED.total_seconds() + 1)
        injector = FaultInjector()
        catalog = place.over(injector)
        injector.plan(partial(place.catalog.save, said("A dog."), None), call)
        count = catalog.settle()
        if len(injector.calls) < call:
            return
        assert count <= 1
        assert place.shown() == said("A dog.")
        check_rows(place.table)
    raise AssertionError("settling makes more calls than are tried")


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_crash_on_real_tables(story: Story, storage: Storage, stack: ExitStack) -> None:
    """The same, at the first calls."""
    for call in (2, 3, 4):
        place = Place(stack, storage.table)
        if stored := place.catalog.get(PATH):
            place.catalog.remove(stored)
        if story[0]:
            place.catalog.save(story[0], None)
        injector = FaultInjector()
        catalog = place.over(injector)
        injector.crash(call, after=call % 2 == 0)
        try:
            change(catalog, story)
        except Crash:
            assert place.shown() in story
        change(place.catalog, story)
        assert place.shown() == story[1]
