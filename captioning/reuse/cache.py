"""The cache of captions: the same bytes are charged once, whichever blobs hold them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from captioning.budget.ledger import Ledger
from captioning.domain.blobs import BlobDescription
from captioning.domain.record import Captioning, Claim, ImageAnalysis, Support
from captioning.domain.usage import NOTHING, Bill, Usage
from captioning.errors import (
    BadResponse,
    CaptioningError,
    ContentInProgress,
    ImageRejected,
    ServiceDeferred,
    StorageUnavailable,
)
from captioning.providers import Answers, Picture, Providers
from captioning.resilience.calls import Calls, Memory
from captioning.reuse.bursts import Bursts
from captioning.reuse.claim import ContentClaim
from captioning.reuse.entries import Refusal, ReuseEntry, ReuseStore


class CallMaker(Protocol):
    """Makes the calls of a run, to Vision and to the model, which share one wait budget."""

    def __call__(
        self, before: Callable[[], None], billed: Callable[[Bill], None], memory: Memory
    ) -> tuple[Calls, Calls]: ...


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a content: answers, or the error that ended the run.

    `usage` is what was paid for it so far, `spent` what this run adds to the ledger, `saved` what a
    reused result had cost. `reused_from` is the path of the blob that it was paid for; with `burst`
    that holds a near-identical frame. `support` is that of the main text; `is_doubtful` if it is
    too low.
    """

    answers: Answers | None = None
    error: CaptioningError | None = None
    usage: Usage = NOTHING
    spent: Usage = NOTHING
    saved: Usage | None = None
    reused_from: str | None = None
    burst: bool = False
    support: Support | None = None
    is_doubtful: bool = False


class CaptionCache:
    """Captions a picture, or finds the caption of its bytes; safe to share between threads."""

    def __init__(
        self,
        *,
        store: ReuseStore,
        providers: Providers,
        ledger: Ledger,
        price: Callable[[Bill], Usage],
        calls: CallMaker,
        lease: timedelta,
        now: Callable[[], datetime],
        bursts: Bursts | None = None,
    ) -> None:
        self._store = store
        self._providers = providers
        self._ledger = ledger
        self._price = price
        self._calls = calls
        self._lease = lease
        self._now = now
        self._bursts = bursts
        self.fingerprint = providers.fingerprint
        self.input = providers.input

    def caption(
        self,
        picture: Picture,
        blob: BlobDescription,
        *,
        run: str,
        afresh: str | None,
        has_waited: bool = False,
    ) -> Result:
        """What the services say about the picture in this blob. Their errors are in the result;
        StorageUnavailable is raised. `has_waited` as in `Claim.holds`."""
        wanted = ReuseEntry(
            picture.sha256,
            self.fingerprint,
            blob.path,
            run,
            claim=Claim(run, self._now() + self._lease),
            afresh=afresh,
            upload=blob.etag,
        )
        try:
            claim = ContentClaim.take(
                self._store, wanted, lease=self._lease, now=self._now, has_waited=has_waited
            )
        except ContentInProgress as error:
            return Result(error=error)
        if claim.entry.is_done:
            return _known(claim.entry, wanted)
        try:
            found = self._shared(claim, picture, blob, has_waited=has_waited)
        except ContentInProgress as error:
            return Result(error=error)
        return _known(found, wanted) if found else self._ask(claim, picture)

    def _shared(
        self, claim: ContentClaim, picture: Picture, blob: BlobDescription, *, has_waited: bool
    ) -> ReuseEntry | None:
        """The entry with the answers to a near-identical frame; None if there is no such frame."""
        if self._bursts is None or not claim.is_untouched:
            return None
        try:
            found = self._bursts.leader(
                claim.entry,
                picture,
                blob,
                lambda other: other.holds(self._now(), self._lease, has_waited=has_waited),
            )
        except Exception:
            # A frame that waits for another keeps no claim: if the other one fails, any frame of
            # the burst may go on.
            claim.release(NOTHING)
            raise
        return claim.share(found) if found else None

    def _ask(self, claim: ContentClaim, picture: Picture) -> Result:
        context = _RunContext(claim, self._price, self._calls)
        try:
            return self._answered(claim, picture, context)
        except Exception:
            # The run ends without a Result, by which its caller would count what it paid. Releasing
            # the claim empties `unbooked`, so that no later run counts it: it is counted here.
            claim.release(context.paid)
            with suppress(StorageUnavailable):
                self._ledger.add(context.paid + claim.inherited)
            raise

    def _answered(self, claim: ContentClaim, picture: Picture, context: _RunContext) -> Result:
        try:
            self._ledger.check_budget()
            answers = self._providers.ask(picture, context)
        except ImageRejected as error:
            claim.done(context.paid, refusal=Refusal(error.code, error.message))
            return context.result(error=error)
        except StorageUnavailable:
            raise
        except (BadResponse, ServiceDeferred) as error:
            claim.release(context.paid)
            return context.result(error=error)
        claim.done(context.paid, captioning=answers.captioning)
        return context.result(answers=answers)


class _RunContext:
    """A RunContext that knows what earlier runs saved, and saves each answer at once.

    It is also the Memory of the calls to Vision.
    """

    def __init__(
        self, claim: ContentClaim, price: Callable[[Bill], Usage], calls: CallMaker
    ) -> None:
        self._claim = claim
        self._price = price
        self._lock = threading.Lock()
        self.paid = NOTHING
        self.analysis, self.captioning = claim.entry.analysis, claim.entry.captioning
        self.vision, self.model = calls(claim.renew, self._billed, self)

    def analysed(self, analysis: ImageAnalysis) -> None:
        """Saves the analysis."""
        self._claim.learned(self.paid, analysis=analysis)

    def captioned(self, captioning: Captioning) -> None:
        """Saves the caption."""
        self._claim.learned(self.paid, captioning=captioning)

    def known(self, part: str) -> Any:
        """A part of the analysis that an earlier run has paid for; None if there is none."""
        return self._claim.entry.parts.get(part)

    def remember(self, part: str, answer: Any) -> None:
        """Saves a part of the analysis."""
        self._claim.learned(self.paid, parts={part: answer})

    def result(
        self, *, answers: Answers | None = None, error: CaptioningError | None = None
    ) -> Result:
        """The result, with what was paid."""
        return Result(
            answers,
            error,
            usage=self._claim.before + self.paid,
            spent=self.paid + self._claim.inherited,
        )

    def _billed(self, bill: Bill) -> None:
        with self._lock:
            self.paid += self._price(bill)


def _known(entry: ReuseEntry, wanted: ReuseEntry) -> Result:
    """The result of a finished entry, at no cost to this run.

    If it was paid for this very upload, it is not reused: that run died before it saved the record,
    or is slower than this one.
    """
    error = answers = None
    if entry.refusal:
        error = entry.refusal.error()
    elif entry.captioning:
        answers = Answers(entry.analysis, entry.captioning)
    if (entry.path, entry.upload) == (wanted.path, wanted.upload):
        return Result(answers, error, usage=entry.usage)
    return Result(answers, error, saved=entry.usage, reused_from=entry.path, burst=entry.burst)
