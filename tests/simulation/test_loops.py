"""Nothing is tried for ever without being counted.

Everything that can be tried again is listed here, and driven for 30 days of an injected clock
against a service that never gets better: it ends, or its attempts are counted and ever rarer.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from captioning.domain.messages import CaptionMessage, NotificationMessage
from captioning.domain.record import CaptionRecord
from captioning.errors import (
    AuthRefused,
    BlobArchived,
    BlobChanged,
    BlobUnreadable,
    BudgetSpent,
    CaptioningError,
    ContentInProgress,
    RecordChanged,
    ServiceDeferred,
    ServiceThrottled,
    ServiceTimeout,
    ServiceUnavailable,
    StorageUnavailable,
)
from captioning.maintenance.reconcile import GRACE_FREE
from captioning.pipeline.pipeline import MOST_CRASHES
from captioning.resilience.backoff import (
    GIVE_UP,
    LONGEST,
    LONGEST_FOR_A_REPAIR,
    LONGEST_FOR_STORAGE,
)
from captioning.resilience.gate import Gate
from captioning.resilience.optimistic import until_saved
from captioning.resilience.retries import ATTEMPTS, RetryingCalls, WaitBudget
from captioning.webhook.sender import LATEST_SAVE, WebhookSender
from testing.factories.records import short
from testing.fakes.faults import Clock, Crash
from testing.fakes.stores import MemoryNotices, MemoryTable
from testing.fakes.webhook_receiver import KEY
from testing.paths import ROOT
from testing.simulation.world import DOG, MODEL, Process, Store, catalog_over

MONTH = timedelta(days=30)
HOST_ATTEMPTS = 5
PATH = "a.jpg"


class Run:
    """One image in a world of memory, and when it was tried."""

    def __init__(self) -> None:
        self.store = Store(None, "image+tags")
        self.blob = self.store.images.upload(PATH, DOG)
        self.process = Process(self.store, "w")
        self.start = self.store.now()
        self.tried: list[datetime] = []
        self.counted: list[int] = []

    def deliver(self) -> None:
        """Each message when it is due, for a month: the host tries it five times if it raises."""
        while self.store.deferrals.held:
            message = min(self.store.deferrals.held, key=lambda held: held.due)
            self.store.now.time = max(self.store.now.time, message.due)
            if self.store.now() > self.start + MONTH:
                return
            self.store.deferrals.held.remove(message)
            self.host(message.wake)
            assert len(self.tried) < 2_000, "it is tried without a pause"

    def host(self, wake: CaptionMessage) -> None:
        """`caption_deferred`, and `record_poisoned_deferral` after five attempts."""
        self.tried.append(self.store.now())
        self.counted.append(wake.attempts)
        for _ in range(HOST_ATTEMPTS):
            try:
                self.process.pipeline.process(wake)
            except (ZeroDivisionError, BlobChanged, RecordChanged, StorageUnavailable):
                continue
            return
        self.process.poisoned(wake.path, wake.attempts)

    def record(self) -> CaptionRecord:
        stored = self.process.catalog.get(PATH)
        assert stored
        return stored.record

    def gaps(self) -> list[float]:
        """Seconds between attempts."""
        return [(after - before).total_seconds() for before, after in pairwise(self.tried)]


@pytest.fixture
def run() -> Run:
    return Run()


def never(error: BaseException) -> Callable[..., object]:
    """Something that always raises this."""

    def fail(*_: object, **__: object) -> object:
        raise error

    return fail


def rarer(gaps: list[float], longest: float) -> bool:
    """Whether each pause is at least about as long as the one before, up to the longest."""
    return all(b >= min(a, longest) * 0.99 for a, b in pairwise(gaps)) and gaps[-1] >= longest


@pytest.mark.parametrize(
    ("error", "most"),
    [
        (ServiceThrottled("Later.", retry_after=1.0), LONGEST),
        (ServiceUnavailable("Down."), LONGEST),
        (ServiceTimeout("Slow."), LONGEST),
        (ContentInProgress("Another."), LONGEST),
        (AuthRefused("Who?"), LONGEST_FOR_A_REPAIR),
    ],
)
def test_a_service_that_stays_away(run: Run, error: ServiceDeferred, most: float) -> None:
    run.store.services.trouble[MODEL] = error
    run.host(CaptionMessage(PATH))
    run.deliver()
    found = run.record().error
    assert found
    assert (run.record().status, found.code) == ("failed", "gave_up")
    assert found.attempts == len(run.tried)
    assert all(before <= after * 2 for before, after in pairwise(run.gaps()))
    assert max(run.gaps()) <= most * 1.1
    assert GIVE_UP <= run.tried[-1] - run.start < GIVE_UP + timedelta(seconds=2 * LONGEST)


def test_a_budget_that_is_never_raised(run: Run) -> None:
    """The one wait without an end: money comes back by itself. It is counted."""
    run.store.services.trouble[MODEL] = BudgetSpent("Spent.", retry_after=3600.0 * 24)
    run.host(CaptionMessage(PATH))
    run.deliver()
    found = run.record().error
    assert found
    assert (run.record().status, found.code, found.attempts) == (
        *("deferred", "budget"),
        len(run.tried),
    )
    assert min(run.gaps()) >= LONGEST


@pytest.mark.parametrize("error", [BlobArchived(), BlobUnreadable("409 Code")])
def test_an_image_that_storage_refuses(
    run: Run, error: CaptioningError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.store.images, "read", never(error))
    run.host(CaptionMessage(PATH))
    run.deliver()
    found = run.record().error
    assert found
    assert (run.record().status, found.code) == ("failed", error.code)
    assert found.attempts == len(run.tried) == 9
    assert all(b > 1.9 * a for a, b in pairwise(run.gaps()))


@pytest.mark.parametrize("method", ["describe", "read"])
def test_storage_that_stays_away(
    run: Run, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(run.store.images, method, never(StorageUnavailable("Down.")))
    run.host(CaptionMessage(PATH))
    run.deliver()
    assert run.counted == list(range(len(run.tried)))
    assert f"after attempt {len(run.tried)}: Down." in caplog.text
    assert rarer(run.gaps(), LONGEST_FOR_STORAGE)


def test_reconcile_adds_no_message_to_one_that_waits(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would be tried as often again."""
    monkeypatch.setattr(run.store.images, "read", never(StorageUnavailable("Down.")))
    run.host(CaptionMessage(PATH))
    end = run.start + timedelta(days=2)
    while run.store.now() < end:
        run.store.now.advance(300)
        for message in run.store.deferrals.due():
            run.store.deferrals.held.remove(message)
            run.host(message.wake)
        run.process.reconciler.run()
        assert len(run.store.deferrals.held) == 1
    assert run.counted == list(range(len(run.tried)))


def test_reconcile_brings_back_what_is_lost_at_most_so_often(run: Run) -> None:
    """Every message that it sends is lost: the record says since when it waits for one."""
    record = short(PATH, run.start, status="processing")
    image = record.image
    run.process.catalog.save(record, None)
    run.store.images.held[PATH] = (
        type(run.blob)(PATH, image.bytes, image.etag, run.start),
        DOG,
    )
    sent = 0
    while run.store.now() < run.start + GRACE_FREE:
        run.store.now.advance(300)
        run.process.reconciler.run()
        sent += len(run.store.deferrals.held)
        run.store.deferrals.held.clear()
    assert sent <= 1


def test_runs_that_die(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each leaves a claim; the message of the next finds it and looks again when it ends."""
    monkeypatch.setattr(run.store.images, "read", never(Crash()))
    for number in range(20):
        run.store.now.advance(300)
        try:
            Process(run.store, f"w{number}").pipeline.process(CaptionMessage(PATH))
        except Crash:
            run.tried.append(run.store.now())
    found = run.record().error
    assert found
    assert (run.record().status, found.code) == ("failed", "poisoned")
    assert len(run.tried) == MOST_CRASHES


@pytest.mark.parametrize("error", [ZeroDivisionError(), BlobChanged(PATH), RecordChanged("Busy.")])
def test_a_waiting_image_on_which_the_host_gives_up_again_and_again(
    run: Run, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the run has claimed it, so that the record says `deferred` all the time."""
    run.store.services.trouble[MODEL] = ServiceUnavailable("Down.")
    run.host(CaptionMessage(PATH))
    monkeypatch.setattr(run.process.pipeline, "_process", never(error))
    run.tried.clear()
    run.counted.clear()
    run.deliver()
    found = run.record().error
    assert found
    assert (run.record().status, found.code) == ("failed", "poisoned")
    assert run.counted == list(range(len(run.tried)))
    assert rarer(run.gaps()[1:], LONGEST_FOR_STORAGE)
    assert GIVE_UP <= run.tried[-1] - run.start < GIVE_UP + timedelta(hours=2)


class Notices:
    """A webhook's sender over memory, and when it was tried."""

    def __init__(self, post: Callable[..., object]) -> None:
        self.clock = Clock()
        table, words = MemoryTable(self.clock), MemoryTable(self.clock)
        self.catalog = catalog_over(table, words, self.clock)
        self.queue = MemoryNotices(self.clock)
        self.tried: list[datetime] = []
        self.last: NotificationMessage | None = None
        receiver = type("Receiver", (), {"post": staticmethod(post)})()
        self.sender = WebhookSender(
            catalog=self.catalog,
            receiver=receiver,
            gate=Gate(
                "The receiver",
                clock=lambda: self.clock().timestamp(),
                wait=lambda _, pause: self.clock.advance(pause),
                uniform=lambda _, high: high,
            ),
            queue=self.queue,
            keys=(KEY,),
            on_outage=lambda _: None,
            now=self.clock,
            uniform=lambda _, high: high,
        )

    def deliver(self) -> None:
        start = self.clock()
        while self.queue.held and self.clock() <= start + MONTH:
            self.clock.time = max(self.clock(), min(due for _, due in self.queue.held))
            for notice in self.queue.taken():
                self.tried.append(self.clock())
                self.last = notice
                self.sender.notify(notice)
            assert len(self.tried) < 2_000, "it is tried without a pause"


@pytest.mark.parametrize("error", [ServiceUnavailable("Down."), AuthRefused("Who?")])
def test_a_receiver_that_stays_away(error: ServiceDeferred) -> None:
    lab = Notices(never(error))
    record = short(PATH, lab.clock())
    lab.catalog.save(record, None)
    lab.queue.put(NotificationMessage(PATH, record.updated), 2.0)
    lab.deliver()
    assert lab.queue.held == []
    assert lab.tried[-1] - lab.tried[0] < GIVE_UP + timedelta(seconds=2 * LONGEST)
    assert lab.last
    assert lab.last.attempts


def test_a_save_that_is_never_made() -> None:
    lab = Notices(never(AssertionError()))
    lab.queue.put(NotificationMessage(PATH, lab.clock()), 2.0)
    lab.deliver()
    assert lab.queue.held == []
    assert lab.tried[-1] - lab.tried[0] < 2 * LATEST_SAVE + timedelta(minutes=1)


def test_a_record_that_can_never_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Notices(never(AssertionError()))
    monkeypatch.setattr(lab.catalog, "get", never(StorageUnavailable("Down.")))
    lab.queue.put(NotificationMessage(PATH, lab.clock()), 2.0)
    lab.deliver()
    assert lab.last
    assert lab.last.unread == len(lab.tried) - 1
    gaps = [(b - a).total_seconds() for a, b in pairwise(lab.tried)]
    assert rarer(gaps, LONGEST_FOR_STORAGE)


def test_calls_within_a_run() -> None:
    clock = Clock()
    made: list[datetime] = []

    def call() -> object:
        made.append(clock())
        raise ServiceUnavailable("Down.")

    def monotonic() -> float:
        return clock().timestamp()

    gate = Gate("x", clock=monotonic, wait=lambda _, pause: clock.advance(pause))
    calls = RetryingCalls(
        gate,
        WaitBudget(1e9, monotonic),
        lambda: None,
        lambda _: None,
        sleep=clock.advance,
        uniform=lambda _, high: high,
    )
    with pytest.raises(ServiceUnavailable):
        calls.ask(call)
    assert len(made) <= ATTEMPTS


def test_a_conflict_that_never_ends_is_raised_where_attempts_are_limited() -> None:
    made: list[int] = []

    def attempt() -> None:
        made.append(1)
        raise RecordChanged("Busy.")

    with pytest.raises(RecordChanged):
        until_saved(attempt, 5)
    assert len(made) == 5


LISTED = {
    # A message is put on a queue again. Each is driven above.
    "pipeline.pipeline.process": "storage fails: counted, ever rarer",
    "pipeline.pipeline._call_back": "deferred or claimed: counted in the record, ends after a day",
    "webhook.sender.notify": "storage fails, or the save is still to come",
    "webhook.sender._put_off": "ends after a day",
    "maintenance.cleanup._fail": "poison reminders: counted, ends after a day",
    "maintenance.reconcile._walk_blobs": "only without a message, by the record's last sign",
    # It is put there once, for a person, a setting or a save.
    "maintenance.recaption.request": "a person asks",
    "maintenance.recaption.ask": "an operator asks",
    "maintenance.retag.all": "once in each run of the command",
    "webhook.outbox.save": "once in each save",
    "webhook.outbox.remove": "once in each removal",
    "webhook.sender._notify_of_deletion": "the removal is still to come: ends after LATEST_SAVE",
    # Optimistic concurrency without a limit. Each conflict is a save that another process has made,
    # so that somebody gets on; whoever conflicts pauses for a request to storage.
    "pipeline.record_claim.save": "another process has saved",
    "pipeline.record_claim.release": "another process has saved",
    "maintenance.cleanup.forget": "another process has saved",
    "maintenance.cleanup.forget_record": "another process has saved",
    "maintenance.cleanup.poisoned": "another process has saved",
    "maintenance.recaption._reopen": "another process has saved",
    "maintenance.undelete.restore": "another process has saved",
    "maintenance.erasure._forget": "another process has saved",
    "maintenance.erasure.forget_copy": "another process has saved",
    "maintenance.recaption_limit.take": "another instance has counted",
    "backup.restore._put": "another process has saved",
    "backup.files._lines": "the end of a file",
    # With a limit.
    "pipeline.pipeline._process": "OVERWRITES",
    "api.edits._change": "ATTEMPTS",
    # while True
    "resilience.optimistic.until_saved": "the callers above",
    "resilience.retries.ask": "ATTEMPTS and a wait budget",
    "captioner.client._ask": "each refusal has a simpler dialect, until there is none",
    "records.writer._transact": "each conflict takes a row away",
    "records.migration.run": "the end of a table",
    "storage.state.all": "the end of a table",
    "storage.curl.close": "the end of a list",
    "search.merge._agree": "the end of a list",
    "images.helpers.worker.main": "the end of the app",
    "images.picture.rendition": "smaller each time, down to a least size",
    "cli.drop.final_records": "a person waits and sees why; no request is repeated for others",
    "cli.up._final_record": "CAPTION_SECONDS",
    "cli.up._serve": "a person stops it; asks only whether a process lives",
}
"""Everything that may be tried again, and what ends it or counts it."""
AGAIN = {"queue", "deferrals", "notices"}


def again(file: Path) -> Iterator[str]:
    """The functions of a file that may try something again: by `while True`, `until_saved`, or a
    message on a queue."""
    module = ".".join(file.relative_to(ROOT / "captioning").with_suffix("").parts)
    for function in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in own(function):
            endless = isinstance(node, ast.While) and ast.unparse(node.test) == "True"
            saved = isinstance(node, ast.Call) and ast.unparse(node.func) == "until_saved"
            put = isinstance(node, ast.Attribute) and node.attr == "put"
            where = ast.unparse(node.value) if isinstance(node, ast.Attribute) else ""
            if endless or saved or (put and where.removeprefix("self._") in AGAIN):
                yield f"{module}.{function.name}"


def own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function, without those of the functions in it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef):
            waiting.extend(ast.iter_child_nodes(node))


def test_every_loop_is_listed() -> None:
    files = (ROOT / "captioning").rglob("*.py")
    assert {name for file in files for name in again(file)} == set(LISTED)
