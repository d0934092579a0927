"""A simulated app and its events, one after the other or interleaved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionInput, CaptionRecord
from captioning.errors import ServiceDeferred
from captioning.maintenance.reconcile import GRACE_FREE
from captioning.records.catalog import ABANDONED
from testing.fakes.stores import Message
from testing.simulation.editors import FIELDS, Editors
from testing.simulation.processes import Incident, Plans, Run, Workers
from testing.simulation.world import ATTEMPTS, CAT, DOG, LEASE, Process, Store, catalog_over

ACTIONS = ["crash", "fault", "echo", "pause", "event", "message", "deletion", "delete"]
ACTIONS += ["overwrite", "overtake", "again", "copy", *(f"edit {field}" for field in FIELDS)]


@dataclass(frozen=True)
class Interruption:
    """What happens at the n-th call of a run, before the call takes effect or after.

    Something fails; or the other process handles an `event`, `message` or `deletion`; or the image
    is deleted, overwritten, overwritten and captioned by the other process (`overtake`), uploaded
    unchanged (`again`), or copied; or an editor corrects its record.
    """

    call: int
    after: bool
    action: str


class Scenario:
    """A simulated app with its pending events and messages.

    They are delivered as by the host: hidden until the run returns, delivered again if it fails,
    and given up after five attempts. An event is then poisoned, and a message lost.
    """

    def __init__(
        self,
        daily_usd: float | None = None,
        caption_input: CaptionInput = "image+tags",
        *,
        has_webhook: bool = False,
    ) -> None:
        self.store = Store(daily_usd, caption_input, has_webhook=has_webhook)
        self.workers = Workers(self.store)
        self.reader = catalog_over(self.store.table, self.store.words, self.store.now)
        self.events: list[str] = []
        self.deletions: list[str] = []
        self.poisoned: list[str] = []
        self.attempts: Counter[str | CaptionMessage] = Counter()
        self.missed: set[str] = set()
        """Paths of which an event or a message was lost; only reconciliation finds them."""
        self.given_up: set[str] = set()
        """Paths whose latest upload the host gave up."""
        self.uploads: dict[str, set[bytes]] = {}
        self.captioned: dict[str, str] = {}
        """ETags of the uploads that were seen captioned, by path."""
        self.requests: list[tuple[CaptionMessage, str]] = []
        """Requests for another caption, with the ETag of the blob."""
        self.editors = Editors(self.store)
        self.history: dict[str, list[tuple[str, bytes]]] = {}
        """ETag and content of every upload of a path since it was last deleted."""
        self.contents: dict[str, bytes] = {}
        """Content by ETag of every upload."""

    def upload(self, path: str, content: bytes) -> None:
        """Uploads an image. Never two within a second: see `Catalog.remove`."""
        self.store.now.advance(1)
        blob = self.store.images.upload(path, content)
        self.history.setdefault(path, []).append((blob.etag, content))
        self.contents[blob.etag] = content
        self.uploads.setdefault(path, set()).add(content)
        self.events.append(path)
        self.attempts[path] = 0
        self.missed.discard(path)
        self.given_up.discard(path)
        for run in self.workers.running:
            run.contents.add(content)

    def delete(self, path: str) -> None:
        """Deletes an image, if it exists."""
        if path in self.store.images.held:
            self.store.images.delete(path)
            self.history[path].clear()
            self.deletions.append(path)

    def recaption(self, path: str) -> None:
        """Requests another caption of an image, if it exists."""
        if path in self.store.images.held:
            wake = CaptionMessage(path, afresh=f"request {len(self.requests)}")
            self.requests.append((wake, self.store.images.held[path][0].etag))
            self.store.deferrals.put(wake, 0)

    def correct(self, path: str, field: str) -> None:
        """Corrects the record of an image."""
        self.editors.correct(path, field)

    def repeat_event(self, pick: int) -> None:
        """Sends an event twice."""
        if self.events:
            self.events.append(self.events[pick % len(self.events)])

    def lose_event(self, pick: int) -> None:
        """Loses an event."""
        if self.events:
            self.missed.add(self.events.pop(pick % len(self.events)))

    def change_service(self, service: str, trouble: ServiceDeferred | None) -> None:
        """Has a service fail, or work again."""
        if trouble:
            self.store.services.trouble[service] = trouble
        else:
            self.store.services.trouble.pop(service, None)

    def deliver(self, pick: int, interruptions: list[Interruption]) -> None:
        """Delivers one of the pending events and messages to the first process."""
        due = len(self.store.deferrals.due())
        things = len(self.events) + due + len(self.deletions) + len(self.poisoned)
        number = pick % things if things else 0
        if number < len(self.events):
            self.hear_of_upload(number, 0, interruptions)
        elif number - len(self.events) < due:
            self.wake(number - len(self.events), 0, interruptions)
        elif self.deletions:
            self.hear_of_deletion(0, interruptions)
        elif self.poisoned:
            self.hear_of_poison(0, interruptions)

    def hear_of_upload(self, number: int, who: int, interruptions: list[Interruption]) -> None:
        """`caption_image`."""
        path = self.events.pop(number)
        if self._run(
            who, path, lambda at: at.pipeline.process(CaptionMessage(path)), interruptions
        ):
            return
        self.attempts[path] += 1
        queue = self.events if self.attempts[path] < ATTEMPTS else self.poisoned
        queue.append(path)

    def wake(self, number: int, who: int, interruptions: list[Interruption]) -> None:
        """`caption_deferred`."""
        message = self.store.deferrals.due()[number]
        self.store.deferrals.held.remove(message)
        wake = message.wake
        if self._run(who, wake.path, lambda at: at.pipeline.process(wake), interruptions):
            return
        self.attempts[wake] += 1
        if self.attempts[wake] < ATTEMPTS:
            self.store.deferrals.held.append(Message(wake, self.store.now()))
        else:
            self.missed.add(wake.path)

    def hear_of_deletion(self, who: int, interruptions: list[Interruption]) -> None:
        """`forget_image`."""
        path = self.deletions.pop(0)
        if not self._run(who, path, lambda at: at.forget(path), interruptions):
            self.deletions.append(path)

    def hear_of_poison(self, who: int, interruptions: list[Interruption]) -> None:
        """`record_poisoned`."""
        path = self.poisoned.pop(0)
        self.given_up.add(path)
        if not self._run(who, path, lambda at: at.poisoned(path), interruptions):
            self.poisoned.append(path)

    def reconcile(self, who: int, interruptions: list[Interruption]) -> int:
        """Runs the reconciliation timer; returns how many records it queued or removed."""
        done = [0]

        def work(at: Process) -> None:
            report = at.reconciler.run()
            done.append(report.queued + report.marked + report.removed)

        self._run(who, "a", work, interruptions)
        return done[-1]

    def settle(self, between: Callable[[], object]) -> None:
        """Ends all faults, and delivers everything until nothing is pending."""
        self.store.services.trouble.clear()
        for _ in range(300):
            self.deliver_all()
            between()
            if self.store.deferrals.held:
                self.store.now.time = min(message.due for message in self.store.deferrals.held)
                continue
            self.store.now.advance((GRACE_FREE + LEASE).total_seconds() + 1)
            if not self.reconcile(0, []) + self.reconcile(0, []):  # the first may begin midway
                self.store.now.advance(ABANDONED.total_seconds() + 1)
                self.reconcile(0, [])
                return
        raise AssertionError("it does not settle")

    def deliver_all(self) -> None:
        """Delivers everything that is visible now."""
        while self.events or self.deletions or self.poisoned or self.store.deferrals.due():
            self.deliver(0, [])

    def record(self, path: str) -> CaptionRecord | None:
        """The record of an image, if any."""
        stored = self.reader.get(path)
        return stored.record if stored else None

    def _run(
        self,
        who: int,
        path: str,
        work: Callable[[Process], object],
        interruptions: list[Interruption],
    ) -> bool:
        blob = self.store.images.held.get(path)
        plans: Plans = [
            (item.call, item.after, self._incident(item, path)) for item in interruptions
        ]
        return self.workers.run(who, {blob[1]} if blob else set(), work, plans)

    def _incident(self, item: Interruption, path: str) -> Incident:
        def happen(run: Run, _: bool) -> None:
            run.is_disturbed = True
            self._change(item.action, path)
            if self.workers.is_free(1 - run.who):
                self._other_works(item.action, 1 - run.who)

        failures: dict[str, Incident] = {
            "crash": self.workers.crash,
            "fault": self.workers.fault,
            "echo": self.workers.echo,
            "pause": self.workers.pause,
        }
        return failures.get(item.action, happen)

    def _change(self, action: str, path: str) -> None:
        blob = self.store.images.held.get(path)
        if action == "delete":
            self.delete(path)
        elif action in {"overwrite", "overtake"}:
            self.upload(path, CAT if blob and blob[1] == DOG else DOG)
        elif action == "again" and blob:
            self.upload(path, blob[1])
        elif action == "copy" and blob:
            self.upload(f"{path}, a copy", blob[1])
        elif action.startswith("edit "):
            self.correct(path, action.removeprefix("edit "))

    def _other_works(self, action: str, who: int) -> None:
        if action in {"event", "overtake", "again", "copy"} and self.events:
            self.hear_of_upload(-1, who, [])
        elif action == "message" and self.store.deferrals.due():
            self.wake(0, who, [])
        elif action == "deletion" and self.deletions:
            self.hear_of_deletion(who, [])
