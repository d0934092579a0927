"""Two processes over one store, and incidents while they run: crashes, faults, pauses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from captioning.domain.usage import NOTHING, Usage
from captioning.errors import BlobChanged, RecordChanged, ServiceUnavailable, StorageUnavailable
from testing.fakes.faults import Crash
from testing.simulation.world import LEASE, MODEL, VISION, FakePicture, Process, Store, price_of


@dataclass
class Run:
    """A run of a process: the contents that it may see, and the answers that it has paid for."""

    who: int
    contents: set[bytes]
    paid: list[tuple[str, bytes]] = field(default_factory=list)
    is_disturbed: bool = False


Incident = Callable[[Run, bool], object]
Plans = Iterable[tuple[int, bool, Incident]]
"""For each incident: the call of the run, whether it comes after the call took effect, and what
happens."""


class Workers:
    """Both processes.

    `excuses` counts answers that may be paid for again because they could not be saved. `lost` is
    usage that a crash kept from the ledger. `may_book_twice` is set by incidents after which two
    runs can book one payment: a claim that could not be released, or that expired during its run.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        store.services.on_paid = self._note_payment
        self._made = 0
        self.processes = [self._new(), self._new()]
        self.running: list[Run] = []
        self.excuses: Counter[tuple[str, bytes]] = Counter()
        self.lost = NOTHING
        self.may_book_twice = False

    def run(
        self, who: int, contents: set[bytes], work: Callable[[Process], object], plans: Plans
    ) -> bool:
        """Runs the work with its incidents. Returns whether it completed: not if the process
        crashed, or raised an error that an incident allows."""
        process, run = self.processes[who], Run(who, contents)
        for call, after, incident in plans:
            process.injector.plan(partial(incident, run, after), call, after=after)
        self.running.append(run)
        try:
            work(process)
        except Crash:
            self._replace(process, run)
            return False
        except (StorageUnavailable, BlobChanged, RecordChanged):
            assert run.is_disturbed
            return False
        finally:
            self.running.pop()
            process.injector.cancel()
        return True

    def is_free(self, who: int) -> bool:
        """Whether this process is not running anything."""
        return all(run.who != who for run in self.running)

    def crash(self, run: Run, _: bool) -> None:
        """The process is killed."""
        self._excuse_unsaved(run)
        self.processes[run.who].injector.is_dead = True
        raise Crash

    def fault(self, run: Run, after: bool) -> None:
        """A call fails, or its answer is lost."""
        run.is_disturbed = self.may_book_twice = True
        self._excuse_unsaved(run)
        if self._call(run) == "Services.answer":
            self.lost += price_of(run.paid[-1][0]) if after else NOTHING
            raise ServiceUnavailable("The answer broke off.")
        raise StorageUnavailable("storage answered 500")

    def echo(self, run: Run, after: bool) -> None:
        """The answer to a conditional write is lost, and the client retries: it meets its own
        version. `tests/storage/test_tables.py` shows this for the real client."""
        run.is_disturbed = self.may_book_twice = True
        if after and self._call(run) in {"MemoryTable.transact", "MemoryReuse.put"}:
            raise RecordChanged("It was saved by another run meanwhile.")

    def pause(self, *_: object) -> None:
        """The machine is suspended until the claims of all runs have expired."""
        self.may_book_twice = True
        self.store.now.advance(LEASE.total_seconds() + 1)
        for run in self.running:
            for content in run.contents:
                self.excuses.update([(VISION, content), (MODEL, content)])

    def _call(self, run: Run) -> str:
        return self.processes[run.who].injector.calls[-1]

    def _new(self) -> Process:
        self._made += 1
        return Process(self.store, f"worker {self._made}")

    def _replace(self, process: Process, run: Run) -> None:
        """Replaces a process that crashed; what only it knew is lost."""
        self.lost += process.unbooked()
        self.lost += sum((price_of(service) for service, _ in run.paid), NOTHING)
        self.processes[run.who] = self._new()

    def _note_payment(self, service: str, content: bytes) -> None:
        self.running[-1].paid.append((service, content))

    def _excuse_unsaved(self, run: Run) -> None:
        self.excuses.update(paid for paid in run.paid if not self._is_saved(*paid))

    def _is_saved(self, service: str, content: bytes) -> bool:
        found = self.store.reuse.get(FakePicture(content).sha256, self.processes[0].fingerprint)
        if found is None:
            return False
        work = found.work
        return bool(work.analysis if service == VISION else work.captioning or work.refusal)


def booked(store: Store) -> Usage:
    """The usage on the ledger."""
    tallies = store.usage.held.values()
    return sum(
        (
            Usage(vision_calls=t.vision_calls, input_tokens=t.input_tokens, usd=t.usd)
            for t in tallies
        ),
        NOTHING,
    )
