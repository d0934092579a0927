"""One run's claim on a content: no other run pays for the same bytes meanwhile."""

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
    """An entry with this run's claim on it; safe to share between the run's threads.

    `renew` and `learned` raise ContentInProgress when the claim ran out and another run took over.
    """

    def __init__(
        self, store: ReuseStore, stored: StoredEntry, lease: timedelta, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._stored = stored
        self._lease = lease
        self._now = now
        self._lock = threading.Lock()
        self.before = stored.work.usage
        """What earlier runs have paid."""
        self.inherited = stored.work.unbooked
        """The part of it that runs paid which died before they could add it to the ledger."""

    @classmethod
    def take(
        cls,
        store: ReuseStore,
        wanted: ReuseEntry,
        *,
        lease: timedelta,
        now: Callable[[], datetime],
        has_waited: bool = False,
    ) -> ContentClaim:
        """Claims the content that `wanted` names, for the run and the time in its `claim`.

        A finished entry is returned as it is, without a claim. ContentInProgress while another
        run's claim holds.
        """
        try:
            stored = StoredEntry(wanted, store.put(wanted, None))
        except RecordChanged:
            found = store.get(wanted.sha256, wanted.fingerprint)
            if found is None:
                raise _in_progress(wanted) from None
            return cls._take_over(store, found, wanted, lease, now, has_waited=has_waited)
        return cls(store, stored, lease, now)

    @classmethod
    def _take_over(
        cls,
        store: ReuseStore,
        found: StoredEntry,
        wanted: ReuseEntry,
        lease: timedelta,
        now: Callable[[], datetime],
        *,
        has_waited: bool,
    ) -> ContentClaim:
        known, claim = found.work, found.work.claim
        ours = claim and known.run == wanted.run
        if claim and not ours and claim.holds(now(), lease, has_waited=has_waited):
            raise _in_progress(known)
        if known.is_done:
            if wanted.afresh in {None, known.afresh}:
                return cls(store, found, lease, now)
            known = wanted
        # Another run's claim that ran out: that run died before it counted what it had paid.
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
        except RecordChanged:  # of two runs that take over, one gets it
            raise _in_progress(known) from None
        return cls(store, stored, lease, now)

    @property
    def entry(self) -> ReuseEntry:
        """The entry as this run last saved or read it."""
        return self._stored.work

    @property
    def is_untouched(self) -> bool:
        """Whether nothing has been paid for it yet, and no new caption was requested."""
        known = self.entry
        learned = known.parts or known.analysis or known.captioning or known.afresh
        return not learned and known.usage == NOTHING

    def renew(self) -> None:
        """Renews the claim if less of it is left than the longest call may take, or more than a
        claim may last, after the clock was put back."""
        with self._lock:
            claim = self.entry.claim
            left = claim.until - self._now() if claim else self._lease
            if not self._lease * LEFT_FOR_A_CALL <= left <= self._lease:
                self._change(lambda known: replace(known, claim=self._renewed(known)))

    def learned(
        self,
        paid: Usage,
        *,
        parts: Mapping[str, Any] | None = None,
        analysis: ImageAnalysis | None = None,
        captioning: Captioning | None = None,
    ) -> None:
        """Saves an answer and renews the claim. `paid` is what this run has paid so far.

        It is saved as soon as it is there, so that no later run pays for it again, whatever becomes
        of this one.
        """

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
        """Saves the outcome and gives the claim up. Never raises: the caller has the answers even
        if they cannot be saved."""
        self._end(paid, captioning=captioning, refusal=refusal, is_done=True)

    def share(self, found: ReuseEntry) -> ReuseEntry:
        """Ends with the answers to a near-identical frame, and gives the claim up; never raises.

        Path, upload and usage of the returned entry are that frame's.
        """

        def shared(known: ReuseEntry) -> ReuseEntry:
            return replace(
                found, sha256=known.sha256, run=known.run, claim=None, afresh=None, burst=True
            )

        with self._lock, suppress(ContentInProgress, RecordChanged, StorageUnavailable):
            self._change(shared)
        return shared(self.entry)

    def release(self, paid: Usage) -> None:
        """Gives the claim up, so that the next run need not wait for its end. Never raises: a claim
        that cannot be given up runs out by itself."""
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
        """Saves the changed entry; the caller holds the lock."""
        try:
            self._put(change(self.entry))
        except RecordChanged:
            # The version in the way may be this run's own: a save that storage carried out although
            # its answer was lost. Then the change is made to that version, once.
            self._stored = self._own_version()
            self._put(change(self.entry))

    def _put(self, changed: ReuseEntry) -> None:
        self._stored = StoredEntry(changed, self._store.put(changed, self._stored.etag))

    def _own_version(self) -> StoredEntry:
        found = self._store.get(self.entry.sha256, self.entry.fingerprint)
        if found is None or found.work.run != self.entry.run:
            raise _in_progress(self.entry) from None
        return found


def _in_progress(entry: ReuseEntry) -> ContentInProgress:
    return ContentInProgress(
        f"The same content is being captioned for {entry.path}; its result will be used."
    )
