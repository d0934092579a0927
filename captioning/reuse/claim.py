"""One content in the hands of one run: nobody else pays for it meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from captioning.domain.record import LEFT_FOR_A_CALL, Captioning, Claim, ImageAnalysis
from captioning.domain.usage import NOTHING, Usage
from captioning.errors import ContentInProgress, RecordChanged, StorageUnavailable
from captioning.reuse.entries import Refusal, ReuseEntry, ReuseStore, StoredEntry


class ContentClaim:
    """Work with this run's claim on it; safe to share between the run's threads.

    Every change raises ContentInProgress where the claim ran out and another run took over.
    """

    def __init__(
        self, store: ReuseStore, stored: StoredEntry, lease: timedelta, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._work, self._etag = stored.work, stored.etag
        self.before = stored.work.usage
        """What earlier runs have paid."""
        self._lease = lease
        self._now = now
        self._lock = threading.Lock()
        self.inherited = stored.work.unbooked
        """What of that is of runs that died, and in no ledger."""

    @classmethod
    def take(
        cls, store: ReuseStore, wanted: ReuseEntry, *, lease: timedelta, now: Callable[[], datetime]
    ) -> ContentClaim:
        """Claims what `wanted` names, with its claim; what is done already is not claimed.
        ContentInProgress while another run has it."""
        try:
            stored = StoredEntry(wanted, store.put(wanted, None))
        except RecordChanged:
            found = store.get(wanted.sha256, wanted.fingerprint)
            if found is None:
                raise _elsewhere(wanted) from None
            return cls._take_over(store, found, wanted, lease, now)
        return cls(store, stored, lease, now)

    @classmethod
    def _take_over(
        cls,
        store: ReuseStore,
        found: StoredEntry,
        wanted: ReuseEntry,
        lease: timedelta,
        now: Callable[[], datetime],
    ) -> ContentClaim:
        known, claim = found.work, found.work.claim
        ours = claim and known.run == wanted.run
        if claim and not ours and claim.until > now():
            raise _elsewhere(known)
        if known.is_done:
            if wanted.afresh in {None, known.afresh}:
                return cls(store, found, lease, now)
            known = wanted
        unbooked = known.unbooked if claim and not ours else NOTHING
        taken = replace(
            known,
            run=wanted.run,
            claim=wanted.claim,
            path=wanted.path,
            upload=wanted.upload,
            afresh=wanted.afresh or known.afresh,
            unbooked=unbooked,
        )
        try:
            stored = StoredEntry(taken, store.put(taken, found.etag))
        except RecordChanged:
            raise _elsewhere(known) from None
        return cls(store, stored, lease, now)

    @property
    def work(self) -> ReuseEntry:
        """As it is known to be stored."""
        return self._work

    @property
    def is_untouched(self) -> bool:
        """Whether nothing has been paid for it yet, nor a new caption been asked for."""
        known = self._work
        learned = known.parts or known.analysis or known.captioning or known.afresh
        return not learned and known.usage == NOTHING

    def renew(self) -> None:
        """Renews the claim where less of it is left than the longest call may take."""
        with self._lock:
            claim = self._work.claim
            if claim and claim.until - self._now() < self._lease * LEFT_FOR_A_CALL:
                self._change(lambda known: replace(known, claim=self._renewed(known)))

    def learned(
        self,
        paid: Usage,
        *,
        parts: Mapping[str, Any] | None = None,
        analysis: ImageAnalysis | None = None,
        captioning: Captioning | None = None,
    ) -> None:
        """Saves an answer, so that it is not paid again whatever happens now."""

        def more(known: ReuseEntry) -> ReuseEntry:
            return replace(
                known,
                parts={} if analysis else known.parts | dict(parts or {}),
                analysis=analysis or known.analysis,
                captioning=captioning or known.captioning,
                usage=self.before + paid,
                unbooked=self.inherited + paid,
                claim=self._renewed(known),
            )

        with self._lock:
            self._change(more)

    def done(
        self, paid: Usage, captioning: Captioning | None = None, refusal: Refusal | None = None
    ) -> None:
        """Saves what it ended with and gives the claim up. Where that fails, the caller has the
        answers all the same."""
        self._end(paid, captioning=captioning, refusal=refusal, is_done=True)

    def share(self, found: ReuseEntry) -> ReuseEntry:
        """Ends with the answers to a near-identical frame, and what they cost there; likewise."""

        def shared(known: ReuseEntry) -> ReuseEntry:
            return replace(
                found, sha256=known.sha256, run=known.run, claim=None, afresh=None, burst=True
            )

        with self._lock, suppress(ContentInProgress, RecordChanged, StorageUnavailable):
            self._change(shared)
        return shared(self._work)

    def release(self, paid: Usage) -> None:
        """Gives the claim up, for whoever comes next; where that fails it runs out by itself."""
        self._end(paid)

    def _end(self, paid: Usage, **outcome: Any) -> None:
        usage = self.before + paid
        with self._lock, suppress(ContentInProgress, RecordChanged, StorageUnavailable):
            self._change(
                lambda known: replace(known, claim=None, usage=usage, unbooked=NOTHING, **outcome)
            )

    def _renewed(self, known: ReuseEntry) -> Claim | None:
        return replace(known.claim, until=self._now() + self._lease) if known.claim else None

    def _change(self, change: Callable[[ReuseEntry], ReuseEntry]) -> None:
        """Saves the work as changed. The version in the way may be this run's own, the answer to
        whose save was lost."""
        changed = change(self._work)
        try:
            self._etag = self._store.put(changed, self._etag)
        except RecordChanged:
            found = self._store.get(changed.sha256, changed.fingerprint)
            if found is None or found.work.run != changed.run:
                raise _elsewhere(changed) from None
            changed = change(found.work)
            self._etag = self._store.put(changed, found.etag)
        self._work = changed


def _elsewhere(work: ReuseEntry) -> ContentInProgress:
    return ContentInProgress(
        f"The same content is being captioned for {work.path}; its result will be used."
    )
