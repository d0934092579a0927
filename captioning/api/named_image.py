"""The image that an item route names: by its path, or by its record's id."""

from __future__ import annotations

from typing import Protocol

from captioning.api.messages import Request, Response, problem
from captioning.domain.blobs import name_problem
from captioning.domain.stored import StoredRecord
from captioning.errors import BadRequest


class Records(Protocol):
    """Where records are."""

    def get_by_id(self, identity: str) -> StoredRecord | None: ...


def named_image(request: Request, records: Records) -> str | None:
    """The blob's path; None where no record has the id. BadRequest for a path that no image can be
    given: sent on, `..` might lead out of the container."""
    if identity := request.given_id():
        stored = records.get_by_id(identity)
        return stored.record.path if stored else None
    path = request.blob_path()
    if what := name_problem(path):
        raise BadRequest(
            "bad_name",
            f"The path {what} An image that other tools have put there is named sha256:<id>.",
        )
    return path


def no_such_image() -> Response:
    """404."""
    return problem(404, "not_found", "There is no image at this path.")
