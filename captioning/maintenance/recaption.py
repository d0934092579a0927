"""Asking for the caption of an image again."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from captioning.api.images import named_image, no_such_image
from captioning.api.messages import Request, Response, json_response
from captioning.domain.messages import Wake
from captioning.domain.record import BlobDescription, CaptionRecord, StoredRecord, record_id
from captioning.errors import BlobGone, RecordChanged


class Images(Protocol):
    """Where the images are."""

    def describe(self, path: str) -> BlobDescription: ...


class Catalog(Protocol):
    """Where their records are."""

    def get(self, path: str) -> StoredRecord | None: ...
    def get_by_id(self, identity: str) -> StoredRecord | None: ...
    def save(self, record: CaptionRecord, previous: StoredRecord | None) -> StoredRecord: ...


class Deferrals(Protocol):
    """What asks for an image later."""

    def put(self, wake: Wake, delay: float) -> None: ...


class Recaption:
    """Puts images on the queue once more, whatever their records say.

    One that has its caption or was rejected is paid for again; others go on with what is known of
    their bytes, and are paid for once however often they are asked for.
    """

    def __init__(self, images: Images, catalog: Catalog, deferrals: Deferrals) -> None:
        self._images = images
        self._catalog = catalog
        self._deferrals = deferrals

    def post(self, request: Request) -> Response:
        """POST /api/recaption/{*path}: 202; where it is paid for again, with the id of the request,
        which the record that answers it has in `provenance.afresh`. 404 without a blob."""
        request.query(frozenset())
        path = named_image(request, self._catalog)
        if path is None:
            return no_such_image()
        try:
            self._images.describe(path)
        except BlobGone:
            return no_such_image()
        stored = self._catalog.get_by_id(request.item_id())
        wake = self._wake(stored.record, new_request()) if stored else Wake(path)
        self._deferrals.put(wake, 0)
        document = {"path": path, "id": record_id(path), "afresh": wake.afresh}
        return json_response(document, 202)

    def ask(self, record: CaptionRecord, asked: str, *, is_stale: bool = False) -> None:
        """Asks for the image of a record, as a part of the request `asked`: copies of one picture
        are paid for once in it. A stale one is captioned again by any run."""
        wake = Wake(record.path) if is_stale else self._wake(record, asked)
        self._deferrals.put(wake, 0)

    def _wake(self, record: CaptionRecord, asked: str) -> Wake:
        """What makes a run take the image as it stands."""
        if record.status in {"captioned", "rejected"}:
            return Wake(record.path, afresh=asked)
        if record.status == "failed":
            self._reopen(record.path)
        return Wake(record.path, ticket=record.claim.worker if record.claim else None)

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
