"""`/api/images`: original bytes and thumbnails, uploads and deletions.

An upload is only stored here; the blob's event has it captioned.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from captioning.api.messages import Request, Response, choice, json_response, problem
from captioning.domain.blobs import BlobDescription, ignoring_pattern, name_problem, url_path
from captioning.domain.record import record_id
from captioning.errors import BadRequest, BlobChanged, BlobGone, ImageRejected
from captioning.images.thumbnails import Thumbnails
from captioning.ports import BlobReader, ImageStore
from captioning.records.unreadable import names_no_path

if TYPE_CHECKING:  # it would be a part of every cold start
    from captioning.records.catalog import Catalog

WIDTHS = (160, 320, 640, 1_280)
"""Widths of thumbnails in pixels."""
LOOKS = 3
"""Attempts at an image that is overwritten while it is read."""
CHECKED = "private, no-cache"
FOR_GOOD = "private, max-age=31536000, immutable"
UNTRUSTED = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
}
"""The bytes are a stranger's: a browser must show them as a picture, and run nothing in them."""
_LENGTH_DIGITS = 15
"""A Content-Length with more digits exceeds any limit."""


class Header(Protocol):
    """The header of an image, as far as the API needs it; the size is that of the upright image, in
    pixels."""

    @property
    def format(self) -> str:
        """JPEG, PNG, …"""

    @property
    def media_type(self) -> str:
        """image/jpeg, image/png, …"""

    @property
    def width(self) -> int:
        """Pixels."""

    @property
    def height(self) -> int:
        """Pixels."""


class ImageView:
    """Shows images; safe to share between threads. `read_header` raises ImageRejected for bytes
    that are no image."""

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
        client has it. 413 and 415 for a blob that the app does not read as an image."""
        query = request.query(frozenset({"width", "version"}))
        width = choice(query, "width", map(str, WIDTHS))
        path = named_image(request, self._records)
        if path is None:
            return no_such_image()
        for _ in range(LOOKS):
            try:
                return self._answer(request, self._images.describe(path), query, int(width or 0))
            except BlobGone:
                return no_such_image()
            except BlobChanged:
                continue
            except ImageRejected as error:
                return problem(415, error.code, error.message)
        return problem(503, "unavailable", "The image is being overwritten. Try again.")

    def _answer(
        self, request: Request, blob: BlobDescription, query: dict[str, str], width: int
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


class ImageChanges:
    """Stores and deletes images; safe to share between threads.

    `check` reads a new image's header, or raises ImageRejected; names that match `ignore` are
    refused; `erase` deletes the version of an image with an ETag, or any, and everything that is
    stored about it; `forget_record` removes the record with an id.
    """

    def __init__(
        self,
        *,
        images: ImageStore,
        records: Catalog,
        check: Callable[[bytes], Header],
        erase: Callable[[str, str | None], bool],
        forget_record: Callable[[str], bool],
        max_image_bytes: int,
        ignore: Sequence[str] = (),
    ) -> None:
        self._ignore = ignore
        self._images = images
        self._records = records
        self._check = check
        self._erase = erase
        self._forget_record = forget_record
        self._max_image_bytes = max_image_bytes

    def put(self, request: Request) -> Response:
        """PUT /api/images/{*path}: 201, or 200 where it replaced an image. Nothing is stored with
        411, 413, 415 and 428, nor with 412: `If-None-Match: *` was sent and there is an image, or
        If-Match names another version than is there."""
        request.query(frozenset())
        if refusal := _bad_condition(request) or self._refused_length(request):
            return refusal
        path = named_image(request, self._records)
        if path is None:
            return no_such_image()
        if pattern := ignoring_pattern(path, self._ignore):
            ignored = f"Files named {pattern} get no caption (IGNORE_FILES). Choose another name."
            return problem(415, "unsupported_format", ignored)
        try:
            header = self._check(request.body)
        except ImageRejected as error:
            return problem(415, error.code, error.message)
        try:
            etag = self._store(path, request, header.media_type)
        except (BlobChanged, BlobGone):
            return self._condition_failed(path, request)
        document = {
            "path": path,
            "id": record_id(path),
            "bytes": len(request.body),
            "etag": etag,
            "format": header.format,
            "width": header.width,
            "height": header.height,
        }
        headers = {"Location": f"/api/images/{url_path(path)}", "ETag": etag}
        return json_response(document, 200 if "if-match" in request.headers else 201, headers)

    def delete(self, request: Request) -> Response:
        """DELETE /api/images/{*path}: 204; 404 without an image; 412 where If-Match names another
        version."""
        request.query(frozenset())
        path = named_image(request, self._records)
        if path is None:
            return self._forget_nameless(request.given_id())
        try:
            wanted = self._wanted_version(path, request)
            is_erased = self._erase(path, wanted)
        except BlobChanged:
            return problem(412, "changed", "The image is not the one that If-Match names.")
        except BlobGone:
            is_erased = self._erase(path, None)
        if not is_erased:
            return no_such_image()
        return Response(204, headers={"Cache-Control": "no-cache, private"})

    def _forget_nameless(self, identity: str | None) -> Response:
        """Removes a record that does not name its image, and so leads to no blob."""
        if identity and self._forget_record(identity):
            return Response(204, headers={"Cache-Control": "no-cache, private"})
        return no_such_image()

    def _refused_length(self, request: Request) -> Response | None:
        """A refusal by length alone. The host never passes on a body without Content-Length."""
        given, limit = request.headers.get("content-length"), self._max_image_bytes
        if given is None:
            return problem(411, "length_required", "Send the image with its Content-Length.")
        if not (given.isascii() and given.isdigit()):
            raise BadRequest("bad_length", "Content-Length must be a whole number.")
        if len(given) > _LENGTH_DIGITS or int(given) > limit or len(request.body) > limit:
            return problem(
                413, "too_large", f"An image may have {limit:,} bytes at most (MAX_IMAGE_BYTES)."
            )
        if len(request.body) != int(given):
            raise BadRequest("bad_length", "The body is not as long as Content-Length says.")
        if not request.body:
            raise BadRequest("empty_body", "The body is empty. Send the image as the body.")
        return None

    def _store(self, path: str, request: Request, media_type: str) -> str:
        """The blob's ETag; BlobChanged or BlobGone where the request's condition does not hold."""
        digest = hashlib.sha256(request.body).hexdigest()
        replaces = None
        if "if-match" in request.headers:
            replaces = self._wanted_version(path, request) or "*"
        # Storage compares once more, as it writes: somebody may have replaced the image since.
        data = io.BytesIO(request.body)
        try:
            return self._images.write(path, data, digest, media_type, replaces=replaces)
        except BlobChanged:
            # Where its answer is lost, the upload is sent again, and meets itself.
            there = self._images.describe(path) if replaces else None
            if there is None or there.sha256 != digest:
                raise
            return there.etag

    def _condition_failed(self, path: str, request: Request) -> Response:
        """412, with the ETag of the image that is there, so that a person can be asked about it."""
        try:
            headers = {"ETag": self._images.describe(path).etag}
        except BlobGone:
            headers = {}
        if "if-match" not in request.headers:
            return problem(412, "exists", "There is an image at this path.", headers)
        is_there = "is not the one that If-Match names" if headers else "is not there any more"
        return problem(412, "changed", f"The image {is_there}.", headers)

    def _wanted_version(self, path: str, request: Request) -> str | None:
        """The ETag that the image must have; None where any will do."""
        wanted = request.headers.get("if-match", "*").strip()
        if wanted == "*":
            return None
        etag = self._images.describe(path).etag
        if etag not in {tag.strip() for tag in wanted.split(",")}:
            raise BlobChanged(path)
        return etag


def named_image(request: Request, records: Catalog) -> str | None:
    """The path of the blob that an item route names; None where no record has the id. BadRequest
    for a path that no image can have, as `..` could lead out of the container."""
    if identity := request.given_id():
        stored = records.get_by_id(identity)
        return stored.record.path if stored and not names_no_path(stored.record) else None
    path = request.blob_path()
    if what := name_problem(path):
        raise BadRequest(
            "bad_name",
            f"The path {what} Name an image that other tools have stored there by sha256:<id>.",
        )
    return path


def no_such_image() -> Response:
    """404, for all routes of an image."""
    return problem(404, "not_found", "There is no image at this path.")


def _bad_condition(request: Request) -> Response | None:
    """The refusal of an upload that does not say what it may replace; BadRequest where it says what
    cannot be heeded."""
    new, replaces = (request.headers.get(name) for name in ("if-none-match", "if-match"))
    if new is not None and (replaces is not None or new.strip() != "*"):
        raise BadRequest(
            "bad_condition",
            "An upload needs If-None-Match: * for a new image, or If-Match with the ETag of the"
            " image that it replaces. It cannot have both, nor another If-None-Match.",
        )
    if new is None and not (replaces or "").strip():
        return problem(
            428,
            "precondition_required",
            "Send If-None-Match: * for a new image. To replace one, send If-Match with the ETag of"
            " the image that you saw, or * for any.",
        )
    return None
