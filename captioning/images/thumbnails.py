"""Thumbnails: made once for a version of an image and a width, and stored.

Pillow is not imported here: `import function_app` imports this module, and must stay fast.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from captioning.domain.blobs import BlobDescription
from captioning.errors import BlobChanged, BlobGone, BlobRefused, ImageRejected, StorageUnavailable
from captioning.ports import BlobReader, ThumbnailStore

log = logging.getLogger("captioning.images.thumbnails")


class Thumbnails:
    """Thumbnails of the images in the container; safe to share between threads.

    `make` returns the JPEG for the bytes of an image and a width, or raises ImageRejected.
    """

    def __init__(
        self,
        images: BlobReader,
        store: ThumbnailStore,
        make: Callable[[bytes, int], bytes],
        max_image_bytes: int,
    ) -> None:
        self._images = images
        self._store = store
        self._make = make
        self._max_image_bytes = max_image_bytes

    def get(self, blob: BlobDescription, width: int) -> bytes:
        """The JPEG, which is made if none is stored. Raises BlobGone, BlobChanged or
        ImageRejected."""
        stored = self._store.get(blob, width)
        if stored is not None:
            return stored
        made = self._make(self._images.read(blob), width)
        try:
            self._put(blob, width, made)
        except StorageUnavailable as error:
            log.warning("A thumbnail is not stored: %s", error.message)
        return made

    def of_version(self, path: str, etag: str, width: int) -> bytes | None:
        """The JPEG for this version of an image; None if the version is gone, too large, no
        image or not to be read."""
        try:
            blob = self._images.describe(path)
            if blob.etag != etag or blob.bytes > self._max_image_bytes:
                return None
            return self.get(blob, width)
        except (BlobGone, BlobChanged, BlobRefused, ImageRejected):
            return None

    def _put(self, blob: BlobDescription, width: int, made: bytes) -> None:
        """Stores the thumbnail and removes those of older versions."""
        self._store.put(blob, width, made)
        # The image may have been deleted since it was read, and its thumbnails with it, before this
        # one was there. Looking once more after the write finds that out.
        try:
            etag: str | None = self._images.describe(blob.path).etag
        except BlobGone:
            etag = None
        self._store.prune(blob.path, etag)
