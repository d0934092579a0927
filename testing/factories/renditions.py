"""Pictures for tests, as renditions for services."""

from __future__ import annotations

import io

from PIL import Image

from captioning.images.rendition import TURNED, Rendition
from testing.paths import SAMPLES


def photo(
    width: int = 400, height: int = 300, kind: str = "JPEG", *, orientation: int = 1
) -> Rendition:
    """A plain picture of `width` x `height` encoded pixels."""
    file = io.BytesIO()
    picture = Image.new("RGB", (width, height), "teal")
    if orientation == 1:
        picture.save(file, kind)
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.save(file, kind, exif=exif)
    return rendition(file.getvalue(), width, height, orientation)


def sample(name: str) -> Rendition:
    """One of the samples."""
    path = SAMPLES / name
    with Image.open(path) as picture:
        orientation = picture.getexif().get(0x0112, 1)
        return rendition(path.read_bytes(), *picture.size, orientation)


def rendition(data: bytes, width: int = 400, height: int = 300, orientation: int = 1) -> Rendition:
    """These bytes as a rendition of this size."""
    stored = (height, width) if orientation in TURNED else (width, height)
    return Rendition(data, "image/jpeg", width, height, orientation, stored)
