"""Asking for the caption of an image again."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace

from captioning.domain.messages import CaptionMessage
from captioning.domain.record import CaptionRecord
from captioning.errors import BlobGone, RecordChanged
from captioning.ports import BlobReader, MessageQueue, RecordWriter


class Recaption:
    """Puts images on the queue once more, whatever their records say.

    One that has its caption or was rejected is paid for again; others go on with what is known of
    their bytes, and are paid for once however often they are asked for.
    """

    def __init__(
        self, images: BlobReader, catalog: RecordWriter, deferrals: MessageQueue[CaptionMessage]
    ) -> None:
        self._images = images
        self._catalog = catalog
        self._deferrals = deferrals

    def request(self, path: str) -> CaptionMessage | None:
        """Asks for the image at this path; the message that was sent. None without a blob."""
        try:
            self._images.describe(path)
        except BlobGone:
            return None
        stored = self._catalog.get(path)
        message = self.message(stored.record, new_request()) if stored else CaptionMessage(path)
        self._deferrals.put(message, 0)
        return message

    def ask(self, record: CaptionRecord, asked: str, *, is_stale: bool = False) -> None:
        """Asks for the image of a record, as a part of the request `asked`: copies of one picture
        are paid for once in it. A stale one is captioned again by any run."""
        wake = CaptionMessage(record.path) if is_stale else self.message(record, asked)
        self._deferrals.put(wake, 0)

    def message(self, record: CaptionRecord, asked: str) -> CaptionMessage:
        """What makes a run take the image as its record stands."""
        if record.status in {"captioned", "rejected"}:
            return CaptionMessage(record.path, afresh=asked)
        if record.status == "failed":
            self._reopen(record.path)
        return CaptionMessage(record.path, ticket=record.claim.worker if record.claim else None)

    def _reopen(self, path: str) -> None:
        """Frees a failed image for a run; the day after which it is given up begins anew."""
        while (stored := self._catalog.get(path)) and stored.record.status == "failed":
            opened = replace(stored.record, status="processing", claim=None, error=None)
            with suppress(RecordChanged):  # somebody is at it, or writes into it
                self._catalog.save(opened, stored)
                return


def new_request() -> str:
    """The id of a request."""
    return uuid.uuid4().hex
