"""Uploading and deleting images over HTTP. What is stored is captioned by its blob event."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from functools import partial
from typing import IO, Protocol

from captioning.api.messages import Request, Response, json_response, problem
from captioning.api.named_image import Records, named_image, no_such_image
from captioning.domain.blobs import url_path
from captioning.domain.record import record_id
from captioning.domain.stored import BlobDescription
from captioning.errors import BadRequest, BlobChanged, BlobGone, ImageRejected

_DIGITS = 15
"""A longer length is over any limit."""


class Images(Protocol):
    """Where the images are. BlobGone and BlobChanged where the blob is not as it is said to be."""

    def describe(self, path: str) -> BlobDescription: ...
    def write(
        self, path: str, data: IO[bytes], sha256: str, media_type: str, *, only_new: bool = False
    ) -> str: ...
    def delete(self, path: str, etag: str | None = None) -> None: ...


class Header(Protocol):
    """What an image says of itself; sizes are upright."""

    @property
    def format(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


class ImageChanges:
    """PUT and DELETE; safe to share between threads.

    `check` reads a new image's header, or raises ImageRejected; `forget` removes what is kept of an
    image that is gone.
    """

    def __init__(
        self,
        *,
        images: Images,
        records: Records,
        check: Callable[[bytes], Header],
        forget: Callable[[str], object],
        max_image_bytes: int,
    ) -> None:
        self._images = images
        self._records = records
        self._check = check
        self._forget = forget
        self._max_image_bytes = max_image_bytes

    def put(self, request: Request) -> Response:
        """PUT /api/images/{*path}: 201, or 200 where it replaced an image. 411, 413 and 415 store
        nothing; 412 with `If-None-Match: *` where there is an image."""
        request.query(frozenset())
        only_new = _wants_only_new(request)
        if refusal := self._refused_length(request):
            return refusal
        path = named_image(request, self._records)
        if path is None:
            return no_such_image()
        try:
            header = self._check(request.body)
        except ImageRejected as error:
            return problem(415, error.code, error.message)
        try:
            etag, is_new = self._store(path, request.body, header.media_type, only_new=only_new)
        except BlobChanged:
            return problem(412, "exists", "There is an image at this path.")
        document = {
            "path": path,
            "id": record_id(path),
            "bytes": len(request.body),
            "etag": etag,
            "format": header.format,
            "width": header.width,
            "height": header.height,
        }
        location = {"Location": f"/api/images/{url_path(path)}"}
        return json_response(document, 201 if is_new else 200, location)

    def delete(self, request: Request) -> Response:
        """DELETE /api/images/{*path}: 204; 404 without an image; 412 where If-Match names another
        version. Should it be killed half-way, the blob's event or reconcile removes the rest."""
        request.query(frozenset())
        path = named_image(request, self._records)
        if path is None:
            return no_such_image()
        try:
            self._images.delete(path, self._wanted_version(path, request))
        except BlobChanged:
            return problem(412, "changed", "The image is not the one that If-Match names.")
        except BlobGone:
            self._forget(path)  # of a request that was killed half-way
            return no_such_image()
        self._forget(path)
        return Response(204, headers={"Cache-Control": "no-cache, private"})

    def _refused_length(self, request: Request) -> Response | None:
        """What is wrong by length alone. A body without one never reaches a function."""
        given, limit = request.headers.get("content-length"), self._max_image_bytes
        if given is None:
            return problem(411, "length_required", "Send the image with its Content-Length.")
        if not (given.isascii() and given.isdigit()):
            raise BadRequest("bad_length", "Content-Length must be a whole number.")
        if len(given) > _DIGITS or int(given) > limit or len(request.body) > limit:
            return problem(
                413, "too_large", f"An image may have {limit:,} bytes (MAX_IMAGE_BYTES)."
            )
        if len(request.body) != int(given):
            raise BadRequest("bad_length", "The body has another length than Content-Length says.")
        if not request.body:
            raise BadRequest("empty_body", "The body is empty. Send the image as the body.")
        return None

    def _store(
        self, path: str, data: bytes, media_type: str, *, only_new: bool
    ) -> tuple[str, bool]:
        """The blob's ETag, and whether there was none before. With `only_new` BlobChanged where
        there was."""
        digest = hashlib.sha256(data).hexdigest()
        write = partial(self._images.write, path, sha256=digest, media_type=media_type)
        if only_new or not self._is_there(path):
            try:
                return write(data=io.BytesIO(data), only_new=True), True
            except BlobChanged:
                if only_new:
                    raise
        return write(data=io.BytesIO(data)), False

    def _is_there(self, path: str) -> bool:
        try:
            self._images.describe(path)
        except BlobGone:
            return False
        return True

    def _wanted_version(self, path: str, request: Request) -> str | None:
        """The ETag that the image must have; None for any."""
        wanted = request.headers.get("if-match", "*").strip()
        if wanted == "*":
            return None
        etag = self._images.describe(path).etag
        if etag not in {tag.strip() for tag in wanted.split(",")}:
            raise BlobChanged(path)
        return etag


def _wants_only_new(request: Request) -> bool:
    """By If-None-Match. A condition that is not heeded is refused: it protects an image."""
    condition = request.headers.get("if-none-match")
    if "if-match" in request.headers or condition not in {None, "*"}:
        raise BadRequest("bad_condition", "The only condition of an upload is If-None-Match: *.")
    return condition is not None
