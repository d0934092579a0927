"""Images over HTTP: the original bytes, or a thumbnail that is made once and kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from captioning.api.messages import Request, Response, problem
from captioning.api.named_image import Records, named_image, no_such_image
from captioning.domain.stored import BlobDescription
from captioning.errors import (
    BadRequest,
    BlobChanged,
    BlobGone,
    ImageRejected,
    StorageUnavailable,
)

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
log = logging.getLogger("captioning")


class Images(Protocol):
    """Where the images are."""

    def describe(self, path: str) -> BlobDescription:
        """What is known of a blob; BlobGone when there is none."""

    def read(self, blob: BlobDescription) -> bytes:
        """The described content; BlobChanged or BlobGone when it is not there any more."""


class Thumbnails(Protocol):
    """Where thumbnails are kept, by version of the image."""

    def get(self, image: BlobDescription, width: int) -> bytes | None: ...
    def put(self, image: BlobDescription, width: int, jpeg: bytes) -> None: ...
    def prune(self, path: str, etag: str | None) -> None: ...


class Header(Protocol):
    """What an image says of itself."""

    @property
    def media_type(self) -> str: ...


class ImageView:
    """GET; safe to share between threads. `read_header` and `thumbnail` (a JPEG for the bytes and
    a width) raise ImageRejected for what is no whole image."""

    def __init__(
        self,
        *,
        images: Images,
        records: Records,
        thumbnails: Thumbnails,
        read_header: Callable[[bytes], Header],
        thumbnail: Callable[[bytes, int], bytes],
        max_image_bytes: int,
    ) -> None:
        self._images = images
        self._records = records
        self._thumbnails = thumbnails
        self._read_header = read_header
        self._thumbnail = thumbnail
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
            body, media_type = self._kept(blob, width), "image/jpeg"
        else:
            body = self._images.read(blob)
            media_type = self._read_header(body).media_type
        return Response(200, body, {"Content-Type": media_type, **UNTRUSTED, **headers})

    def _kept(self, blob: BlobDescription, width: int) -> bytes:
        """The thumbnail, made where none is kept."""
        kept = self._thumbnails.get(blob, width)
        if kept is not None:
            return kept
        made = self._thumbnail(self._images.read(blob), width)
        try:
            self._keep(blob, width, made)
        except StorageUnavailable as error:
            log.warning("a thumbnail is not kept: %s", error.message)
        return made

    def _keep(self, blob: BlobDescription, width: int, made: bytes) -> None:
        """Keeps the thumbnail and removes older uploads'. It looks at the image once more: where
        that was deleted meanwhile, what it was forgotten by did not see this thumbnail."""
        self._thumbnails.put(blob, width, made)
        try:
            etag: str | None = self._images.describe(blob.path).etag
        except BlobGone:
            etag = None
        self._thumbnails.prune(blob.path, etag)


def _width(value: str) -> int:
    if value in {str(width) for width in WIDTHS}:
        return int(value)
    raise BadRequest("bad_width", f"width must be one of {', '.join(map(str, WIDTHS))}.")
