"""Captions for contents: each set of bytes is paid for once, whichever blobs hold it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

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
from captioning.ports import Ledger
from captioning.providers import Answers, InspectedPicture, Providers
from captioning.resilience.calls import Calls, Memory
from captioning.reuse.bursts import Bursts
from captioning.reuse.claim import ContentClaim
from captioning.reuse.entries import Refusal, ReuseEntry, ReuseStore


class CallMaker(Protocol):
    """Makes a run's calls: of Vision and of the model, with one patience."""

    def __call__(
        self, before: Callable[[], None], billed: Callable[[Bill], None], memory: Memory
    ) -> tuple[Calls, Calls]: ...


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a content: answers, or the error that ended the run.

    `usage` is what was paid for it so far, `spent` what this run adds to the ledger, `saved` what
    a reused result had cost; with `burst` that is a near-identical frame's. `support` is of the
    answers' main text; `is_doubtful` where it is too low.
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
    """Captions a picture, or finds what is known of its bytes; safe to share between threads."""

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
        self, picture: InspectedPicture, blob: BlobDescription, *, run: str, afresh: str | None
    ) -> Result:
        """What the services say of the picture in this blob. Errors of theirs are in the result;
        storage's raise StorageUnavailable."""
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
            content = ContentClaim.take(self._store, wanted, lease=self._lease, now=self._now)
        except ContentInProgress as error:
            return Result(error=error)
        if content.work.is_done:
            return _known(content.work, wanted)
        try:
            found = self._shared(content, picture, blob)
        except ContentInProgress as error:
            return Result(error=error)
        return _known(found, wanted) if found else self._ask(content, picture)

    def _shared(
        self, content: ContentClaim, picture: InspectedPicture, blob: BlobDescription
    ) -> ReuseEntry | None:
        """The work as it ends with what a near-identical frame was paid for; None without one."""
        if self._bursts is None or not content.is_untouched:
            return None
        try:
            found = self._bursts.leader(content.work, picture, blob)
        except Exception:
            content.release(NOTHING)
            raise
        return content.share(found) if found else None

    def _ask(self, content: ContentClaim, picture: InspectedPicture) -> Result:
        context = _RunContext(content, self._price, self._calls)
        try:
            return self._answered(content, picture, context)
        except Exception:
            content.release(context.paid)
            with suppress(StorageUnavailable):
                self._ledger.add(context.paid + content.inherited)
            raise

    def _answered(
        self, content: ContentClaim, picture: InspectedPicture, context: _RunContext
    ) -> Result:
        try:
            self._ledger.check_budget()
            answers = self._providers.ask(picture, context)
        except ImageRejected as error:
            content.done(context.paid, refusal=Refusal(error.code, error.message))
            return context.result(error=error)
        except StorageUnavailable:
            raise
        except (BadResponse, ServiceDeferred) as error:
            content.release(context.paid)
            return context.result(error=error)
        content.done(context.paid, captioning=answers.captioning)
        return context.result(answers=answers)


class _RunContext:
    """The providers' context for one content: what is known, how to ask, where to save."""

    def __init__(
        self, content: ContentClaim, price: Callable[[Bill], Usage], calls: CallMaker
    ) -> None:
        self._content = content
        self._price = price
        self._lock = threading.Lock()
        self.paid = NOTHING
        self.analysis, self.captioning = content.work.analysis, content.work.captioning
        self.vision, self.model = calls(content.renew, self._billed, self)

    def analysed(self, analysis: ImageAnalysis) -> None:
        """Saves the analysis."""
        self._content.learned(self.paid, analysis=analysis)

    def captioned(self, captioning: Captioning) -> None:
        """Saves the caption."""
        self._content.learned(self.paid, captioning=captioning)

    def known(self, part: str) -> Any:
        """A part of the analysis that an earlier run has paid."""
        return self._content.work.parts.get(part)

    def remember(self, part: str, answer: Any) -> None:
        """Saves a part of the analysis."""
        self._content.learned(self.paid, parts={part: answer})

    def result(
        self, *, answers: Answers | None = None, error: CaptioningError | None = None
    ) -> Result:
        """The result with what was paid."""
        return Result(
            answers,
            error,
            usage=self._content.before + self.paid,
            spent=self.paid + self._content.inherited,
        )

    def _billed(self, bill: Bill) -> None:
        with self._lock:
            self.paid += self._price(bill)


def _known(work: ReuseEntry, wanted: ReuseEntry) -> Result:
    """The result of another run, at no cost; or of one of the same upload, whose record does not
    tell of it: that run died before it could say so, or is slower than this one."""
    error = answers = None
    if work.refusal:
        kinds = {kind.code: kind for kind in ImageRejected.__subclasses__()}
        error = kinds[work.refusal.code](work.refusal.message)
    elif work.captioning:
        answers = Answers(work.analysis, work.captioning)
    if (work.path, work.upload) == (wanted.path, wanted.upload):
        return Result(answers, error, usage=work.usage)
    return Result(answers, error, saved=work.usage, reused_from=work.path, burst=work.burst)
