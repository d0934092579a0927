"""Whatever is saved, edited, removed and broken off: searches say what a plain filter says."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captioning.domain.record import CaptionRecord, Status, Tag
from captioning.errors import RecordChanged, StorageUnavailable
from captioning.ports import EntityTable
from captioning.records.catalog import Catalog
from captioning.records.layout import Layout
from captioning.search.dictionary import Dictionary
from captioning.search.places import BEGINNING
from captioning.search.query import Query, parse
from testing.factories.records import short
from testing.fakes.faults import Clock, Crash, FaultInjector
from testing.fakes.stores import MemoryTable
from testing.harness.catalog_rows import Watched, check_rows, rows_of
from testing.harness.storage import Storage

STEMS = {
    "dog": "dog",
    "dogs": "dog",
    "seal": "seal",
    "sea": "sea",
    "seas": "sea",
    "surf": "surf",
    "surfing": "surf",
    "the": "",
}
"""All words there are, and what the forms of one share."""
PATHS = ["a", "b", "c", "d", "e"]
STEPS = 14
"""Calls that a save or removal makes at the most, and one more."""
MOST_WRITES = st.sampled_from([5, 6, 8, 100])
"""Of a transaction: with few, a save takes several, as one of 200 words does in Azure."""
LATER = timedelta(hours=48)

CAPTIONS = st.lists(st.sampled_from(list(STEMS)), max_size=8).map(" ".join)
TAGS = st.lists(st.sampled_from(["dog", "sea dog", "Surf"]), max_size=2, unique=True)
STATUS = st.sampled_from(["captioned", "failed"])


@dataclass(frozen=True)
class Change:
    """A record saved, or removed where `caption` is None; broken off at a call, where one is."""

    path: str
    caption: str | None
    tags: list[str]
    status: Status
    day: int
    call: int
    fails: str
    after: bool


CHANGES = st.builds(
    Change,
    path=st.sampled_from(PATHS),
    caption=st.none() | CAPTIONS,
    tags=TAGS,
    status=STATUS,
    day=st.integers(0, 60),
    call=st.integers(1, STEPS),
    fails=st.sampled_from(["", "", "crash", "fault", "race"]),
    after=st.booleans(),
)


@dataclass(frozen=True)
class Asked:
    """A search: the words, tags and status that are wanted, a word that is not, a beginning."""

    words: list[str]
    without: str | None
    phrase: list[str]
    beginning: str | None
    tags: list[str]
    status: Status | None

    def query(self) -> Query:
        text = " ".join([*self.words, ""])
        text += f"-{self.without} " if self.without else ""
        text += f'"{" ".join(self.phrase)}" ' if self.phrase else ""
        return replace(parse(text + (self.beginning or ""), self.tags, ("en",)), status=self.status)

    def fits(self, record: CaptionRecord) -> bool:
        """By the record alone, and the table of stems."""
        said = (record.caption or "").split()
        tagged = [tag.name.lower() for tag in record.tags]
        every = [*said, *" ".join(tagged).split()]
        stems = {STEMS[word] for word in every}
        texts = [said, *(tag.split() for tag in tagged)]
        return (
            all(STEMS[word] in {*stems, ""} for word in self.words)
            and not (self.without and STEMS[self.without] in stems - {""})
            and (not self.phrase or any(_in_a_row(self.phrase, text) for text in texts))
            and (self.beginning is None or self._begins(every, stems))
            and all(tag.lower() in tagged for tag in self.tags)
            and self.status in {None, record.status}
        )

    def _begins(self, every: list[str], stems: set[str]) -> bool:
        assert self.beginning
        whole = STEMS.get(self.beginning) in stems
        return whole or any(w.startswith(self.beginning) for w in every if STEMS[w])


def _in_a_row(phrase: list[str], text: list[str]) -> bool:
    return f" {' '.join(phrase)} " in f" {' '.join(text)} "


WORDS = st.sampled_from(list(STEMS))
ASKED = st.builds(
    Asked,
    words=st.lists(WORDS, max_size=2),
    without=st.none() | WORDS,
    phrase=st.just([]) | st.lists(WORDS, min_size=1, max_size=2),
    beginning=st.none() | st.sampled_from(["se", "sea", "sur", "surfin", "dogs", "xx"]),
    tags=st.lists(st.sampled_from(["DOG", "sea dog", "surf"]), max_size=2),
    status=st.none() | STATUS,
)


class Shop:
    """A catalogue whose saves are broken off, and what it holds. `now` is when entities are
    written, as far as the catalogue knows."""

    def __init__(
        self,
        table: EntityTable,
        words: EntityTable,
        stack: ExitStack,
        most_writes: int,
        now: Clock | None = None,
    ) -> None:
        self.now = now or Clock(datetime.now(UTC))
        self.table, self.words = table, words
        self.most_writes = most_writes
        self._stack = stack
        self.catalog = self._catalog(FaultInjector())

    def _catalog(self, injector: FaultInjector) -> Catalog:
        table = injector.wrap(Watched(self.table))
        catalog = Catalog(
            table,
            Dictionary(injector.wrap(self.words)),
            Layout(table),
            now=self.now,
            most_writes=self.most_writes,
        )
        catalog._layout.partitions  # noqa: B018 - read before anything is planned
        injector.calls.clear()
        self._stack.callback(catalog.close)
        return catalog

    def change(self, change: Change) -> None:
        """Makes a change as far as it comes."""
        injector = FaultInjector()
        catalog = self._catalog(injector)
        stored = self.catalog.get(change.path)
        match change.fails:
            case "crash":
                injector.crash(change.call, after=change.after)
            case "fault":
                injector.fail(change.call, after=change.after)
            case "race":
                other = replace(change, caption="seal", tags=["Surf"], fails="")
                injector.plan(lambda: self.change(other), change.call, after=change.after)
        try:
            if change.caption is not None:
                catalog.save(self._record(change), stored)
            elif stored:
                catalog.remove(stored)
        except (Crash, StorageUnavailable, RecordChanged):
            assert change.fails

    def _record(self, change: Change) -> CaptionRecord:
        return short(
            change.path,
            self.now() - timedelta(days=change.day),
            caption=change.caption,
            status=change.status,
            tags=tuple(Tag(name, 1.0) for name in change.tags),
        )

    def held(self) -> list[CaptionRecord]:
        """All records, the newest first."""
        found = [self.catalog.get(path) for path in PATHS]
        records = [stored.record for stored in found if stored]
        return sorted(records, key=lambda r: (-r.image.modified.timestamp(), r.id))

    def answers(self, asked: Asked, limit: int, between: Callable[[], None]) -> list[CaptionRecord]:
        """What the pages hold, one after the other."""
        found: list[CaptionRecord] = []
        position: str | None = BEGINNING
        while position is not None:
            page = self.catalog.search(asked.query(), limit, position)
            assert len(page.records) <= limit
            found += page.records
            position = page.next
            between()
        return found

    def check(self, asked: list[Asked], limit: int) -> None:
        """Every search finds what a plain filter finds, in its order."""
        held = self.held()
        for search in asked:
            found = self.answers(search, limit, lambda: None)
            assert found == [record for record in held if search.fits(record)], search

    def check_that_it_is_clean(self) -> None:
        """Two days later nothing is left of what was broken off."""
        self.now.advance(LATER.total_seconds())
        self.catalog.settle()
        assert self.catalog.settle() == 0
        check_rows(self.table)
        assert not [key for key in rows_of(self.table) if key.startswith("stub~")]


def in_memory(stack: ExitStack, most_writes: int) -> Shop:
    now = Clock()
    return Shop(MemoryTable(now), MemoryTable(now), stack, most_writes, now)


def tell(shop: Shop, changes: list[Change], asked: list[Asked], limit: int) -> None:
    """Changes, and searches in between."""
    for number, change in enumerate(changes):
        shop.change(change)
        check_rows(shop.table)
        shop.check(asked[number % len(asked) :][:1], limit)
    shop.check(asked, limit)
    shop.check_that_it_is_clean()
    shop.check(asked, limit)


STORIES = (
    st.lists(CHANGES, min_size=1, max_size=12),
    st.lists(ASKED, min_size=1, max_size=4),
    st.integers(1, 4),
    MOST_WRITES,
)
QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@given(*STORIES)
@settings(max_examples=400, suppress_health_check=QUIET)
def test_in_memory(changes: list[Change], asked: list[Asked], limit: int, most_writes: int) -> None:
    with ExitStack() as stack:
        tell(in_memory(stack, most_writes), changes, asked, limit)


@given(*STORIES)
@settings(max_examples=20, suppress_health_check=QUIET)
def test_on_tables(
    azurite: str, changes: list[Change], asked: list[Asked], limit: int, most_writes: int
) -> None:
    with ExitStack() as stack:
        storage = Storage(azurite, f"t{uuid.uuid4().hex[:12]}", stack)
        words = storage.account.table(f"{storage.name}words")
        tell(Shop(storage.table, words, stack, most_writes), changes, asked, limit)


@given(
    st.lists(CHANGES, min_size=4, max_size=12),
    st.lists(CHANGES, max_size=6),
    ASKED,
    st.integers(1, 3),
    MOST_WRITES,
)
@settings(max_examples=200, suppress_health_check=QUIET)
def test_what_stays_is_on_one_page_though_others_come_and_go(
    before: list[Change], meanwhile: list[Change], asked: Asked, limit: int, most_writes: int
) -> None:
    with ExitStack() as stack:
        shop = in_memory(stack, most_writes)
        for change in before:
            shop.change(change)
        stays = [r for r in shop.held() if asked.fits(r) and r.path in {"a", "b"}]
        pending = iter([change for change in meanwhile if change.path not in {"a", "b"}])

        def change_something() -> None:
            if change := next(pending, None):
                shop.now.advance(60)
                shop.change(change)

        found = shop.answers(asked, limit, change_something)
        assert [record for record in found if record in stays] == stays


def test_the_filter_tells_records_apart() -> None:
    """The test's own: each part of a search leaves something out."""
    nothing = Asked([], None, [], None, [], None)
    record = short("a", caption="the seas surfing", tags=(Tag("sea dog", 1.0),))
    assert nothing.fits(record)
    for search in (
        replace(nothing, words=["seal"]),
        replace(nothing, without="dogs"),
        replace(nothing, phrase=["surfing", "seas"]),
        replace(nothing, beginning="xx"),
        replace(nothing, tags=["dog"]),
        replace(nothing, status="failed"),
    ):
        assert not search.fits(record)
    for search in (
        replace(nothing, words=["sea", "the"], without="seal", phrase=["seas", "surfing"]),
        replace(nothing, beginning="surfin", tags=["sea dog"], status="captioned"),
    ):
        assert search.fits(record)


@pytest.mark.parametrize("word", STEMS)
def test_the_table_of_stems_is_the_stemmers(word: str) -> None:
    from captioning.text.words import is_common, stem

    assert STEMS[word] == ("" if is_common(word, "en") else stem(word, "en"))
