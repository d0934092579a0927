"""`/api/recaption`: captions an image again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from captioning.api.images import named_image, no_such_image
from captioning.api.messages import Request, Response, json_response, problem
from captioning.domain.record import record_id
from captioning.errors import RecaptionLimitReached
from captioning.maintenance.recaption import Recaption

if TYPE_CHECKING:  # it would be a part of every cold start
    from captioning.records.catalog import Catalog


class RecaptionApi:
    """Requests that images are captioned again, one image a request."""

    def __init__(self, records: Catalog, recaption: Recaption) -> None:
        self._records = records
        self._recaption = recaption

    def post(self, request: Request) -> Response:
        """POST /api/recaption/{*path}: 202; 404 without a blob; 429 where too many were requested
        this hour. Where the image is charged again,
        `afresh` is the id of the request, which the new record has in `provenance.afresh`."""
        request.query(frozenset())
        path = named_image(request, self._records)
        try:
            message = None if path is None else self._recaption.request(path)
        except RecaptionLimitReached as error:
            refusal = problem(429, error.code, error.message)
            headers = {**refusal.headers, "Retry-After": str(error.retry_after)}
            return replace(refusal, headers=headers)
        if path is None or message is None:
            return no_such_image()
        document = {"path": path, "id": record_id(path), "afresh": message.afresh}
        return json_response(document, 202)
