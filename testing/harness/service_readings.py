"""How services may read the bytes of a picture that they get, and the boxes that they find then."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageChops, ImageOps

from captioning.domain.record import Box, DetectedObject, ImageAnalysis
from captioning.images.picture import inspect
from captioning.images.rendition import InputLimits

EVERY_FORMAT = InputLimits(
    frozenset({"JPEG", "PNG", "GIF", "BMP", "WEBP", "ICO", "TIFF", "MPO"}), max_bytes=1_000_000
)
"""Of a service that takes the original wherever one does."""
Reading = Callable[[Image.Image], Image.Image]


def as_stored(image: Image.Image) -> Image.Image:
    """The reading of a service that turns nothing."""
    return image.copy()


def as_it_says(image: Image.Image) -> Image.Image:
    """The reading of a service that believes more than browsers do."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - the EXIF cannot be read, and Pillow raises anything
        return image.copy()


READINGS: tuple[Reading, ...] = (as_stored, as_it_says)


def lime_in(image: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is lime, in pixels."""
    red, green, blue = image.convert("RGB").split()
    excess = ImageChops.subtract(green, ImageChops.lighter(red, blue))
    box = excess.point(lambda level: 255 * (level > 100)).getbbox()
    assert box is not None
    return box


def box_of_lime(data: bytes, read: Reading) -> Box:
    """The box in the record of a file, if the service reads it so and finds what is lime in it."""
    rendition = inspect(data).for_service(EVERY_FORMAT)
    with Image.open(io.BytesIO(rendition.data)) as opened:
        seen = read(opened)
    left, top, right, bottom = lime_in(seen)
    found = DetectedObject("lime", 0.9, (left, top, right - left, bottom - top))
    placed = rendition.to_stored(ImageAnalysis("test", *seen.size, objects=(found,)))
    return placed.objects[0].box
