"""Requests for captioning an image again."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import replace

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.errors import BlobGone
from captioning.maintenance.recaption_limit import RecaptionLimit
from captioning.ports import BlobReader, MessageQueue, RecordWriter
from captioning.records.unreadable import refuse_unreadable
from captioning.resilience.optimistic import until_saved


class Recaption:
    """Puts images on the queue again, whatever their records say.

    An image that is captioned or rejected is charged again, once for all requests that come before
    its run has ended. Others resume with the answers that are stored for their bytes, and are
    charged once, however often they are requested. `limit` counts the charged requests for single
    images.
    """

    def __init__(
        self,
        images: BlobReader,
        catalog: RecordWriter,
        deferrals: MessageQueue[CaptionMessage],
        limit: RecaptionLimit | None = None,
    ) -> None:
        self._limit = limit
        self._images = images
        self._catalog = catalog
        self._deferrals = deferrals

    def request(self, path: str) -> CaptionMessage | None:
        """Requests the image at this path; the message that was sent, None without a blob.
        RecordUnreadable where this version cannot read its record; RecaptionLimitReached where it
        would be charged and the hour has no room for it."""
        try:
            self._images.describe(path)
        except BlobGone:
            return None
        stored = self._catalog.get(path)
        record = stored.record if stored else None
        if record:
            refuse_unreadable(record)
        message = self.message(record, _next(record)) if record else CaptionMessage(path)
        if self._limit and message.afresh:
            self._limit.take(message.afresh)
        self._deferrals.put(message, 0)
        return message

    def ask(self, record: CaptionRecord, asked: str, *, is_stale: bool = False) -> None:
        """Requests the image of a record as a part of the request `asked`, within which copies of
        one picture are charged once. A stale image needs no such id: a run captions it again as
        long as it is stale."""
        stale = CaptionMessage(record.path, renew="texts")
        wake = stale if is_stale else self.message(record, asked)
        self._deferrals.put(wake, 0)

    def message(self, record: CaptionRecord, asked: str) -> CaptionMessage:
        """The message that makes a run caption the image, by the status of its record."""
        if record.status in {"captioned", "rejected"}:
            return CaptionMessage(record.path, afresh=asked)
        if record.status == "failed":
            self._reopen(record.path)
        return CaptionMessage(record.path, ticket=record.claim.worker if record.claim else None)

    def _reopen(self, path: str) -> None:
        """Frees a failed image for a run, with a new day until it is given up on."""

        def attempt() -> None:
            stored = self._catalog.get(path)
            # A record that is not `failed` any more has been opened by another request, or a run
            # has claimed it: there is nothing left to do.
            if stored and stored.record.status == "failed":
                opened = replace(stored.record, status="processing", claim=None, error=None)
                self._catalog.save(opened, stored)

        # The record is opened before the message is sent: a run ignores the message of an image
        # that is still `failed`.
        until_saved(attempt)


def _next(record: CaptionRecord) -> str:
    """The id of the next request for this image alone. Until a run has answered it, all have the
    same id, whatever people write meanwhile; another upload has other ids."""
    state = [record.id, record.image.modified.isoformat(), *record.answered]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:32]


def new_request() -> str:
    """The id of a request."""
    return uuid.uuid4().hex
