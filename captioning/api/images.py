"""`/api/images`: original bytes and thumbnails, uploads and deletions.

What is stored is captioned by its blob event.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from functools import partial
from typing import Protocol

from captioning.api.messages import Request, Response, json_response, problem
from captioning.domain.blobs import BlobDescription, name_problem, url_path
from captioning.domain.record import record_id
from captioning.errors import BadRequest, BlobChanged, BlobGone, ImageRejected
from captioning.images.thumbnails import Thumbnails
from captioning.ports import BlobReader, ImageStore
from captioning.records.catalog import Catalog


def named_image(request: Request, records: Catalog) -> str | None:
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


WIDTHS = (160, 320, 640, 1_280)
LOOKS = 3
"""At an image that is overwritten again and again."""
CHECKED = "private, no-cache"
FOR_GOOD = "private, max-age=31536000, immutable"
UNTRUSTED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
}
"""Somebody uploaded it: a browser shows it as the picture it is, and as nothing else."""


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


class ImageView:
    """GET; safe to share between threads. `read_header` raises ImageRejected for what is no
    image."""

    def __init__(
        self,
        *,
        images: BlobReader,
        records: Catalog,
        thumbnails: Thumbnails,
        read_header: Callable[[bytes], Header],
        max_image_bytes: int,
    ) -> None:
        self._images = images
        self._records = records
        self._thumbnails = thumbnails
        self._read_header = read_header
        self._max_image_bytes = max_image_bytes

    def get(self, request: Request) -> Response:
        """GET /api/images/{*path}?width=&version=: the image, or its thumbnail; 304 where the
        client has it. 413 and 415 where it is none that the app reads."""
        query = request.query(frozenset({"width", "version"}))
        width = _width(query["width"]) if "width" in query else None
        path = named_image(request, self._records)
        if path is None:
            return no_such_image()
        for _ in range(LOOKS):
            try:
                return self._answer(request, self._images.describe(path), width, query)
            except BlobGone:
                return no_such_image()
            except BlobChanged:
                continue
            except ImageRejected as error:
                return problem(415, error.code, error.message)
        return problem(503, "unavailable", "The image is being overwritten. Ask again.")

    def _answer(
        self, request: Request, blob: BlobDescription, width: int | None, query: dict[str, str]
    ) -> Response:
        bare = blob.etag.strip('"')
        etag = f'"{bare}-{width}"' if width else blob.etag
        is_current = query.get("version", "").strip('"') == bare
        headers = {"ETag": etag, "Cache-Control": FOR_GOOD if is_current else CHECKED}
        if request.has(etag):
            return Response(304, headers=headers)
        if blob.bytes > self._max_image_bytes:
            limit = f"MAX_IMAGE_BYTES is {self._max_image_bytes:,}"
            return problem(413, "too_large", f"The blob has {blob.bytes:,} bytes; {limit}.")
        if width:
            body, media_type = self._thumbnails.get(blob, width), "image/jpeg"
        else:
            body = self._images.read(blob)
            media_type = self._read_header(body).media_type
        return Response(200, body, {"Content-Type": media_type, **UNTRUSTED, **headers})


def _width(value: str) -> int:
    if value in {str(width) for width in WIDTHS}:
        return int(value)
    raise BadRequest("bad_width", f"width must be one of {', '.join(map(str, WIDTHS))}.")


_DIGITS = 15
"""A longer length is over any limit."""


class ImageChanges:
    """PUT and DELETE; safe to share between threads.

    `check` reads a new image's header, or raises ImageRejected; `forget` removes what is kept of an
    image that is gone.
    """

    def __init__(
        self,
        *,
        images: ImageStore,
        records: Catalog,
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
