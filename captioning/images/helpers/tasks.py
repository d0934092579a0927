"""What a helper can do with the bytes of a picture. Only helpers import this module."""

from __future__ import annotations

from dataclasses import asdict

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from captioning.errors import CorruptImage
from captioning.images.decoding import opened
from captioning.images.formats.lazy import MENDED, LazyImage
from captioning.images.helpers.channel import Said
from captioning.images.picture import (
    REENCODED_SIDE,
    check_header,
    examine,
    read_header,
    rendition,
    thumbnail,
)
from captioning.images.rendition import InputLimits, Rendition

BASE = 32
"""MiB that a helper has allocated without a picture, rounded up."""
BYTES_A_PIXEL = {"HEIF": 12.0, "JPEG2000": 15.0}
SCALED, WHOLE, PROGRESSIVE, WITHOUT_END = 1.2, 5.0, 8.0, 13.0
"""Of a JPEG. Only one that is not progressive is scaled down while it is read; one without its end
is read twice."""
WEBP, TRANSPARENT_HEIF, OTHERS = 17.0, 20.0, 11.0
RENDITION = 10.0
"""More for each pixel of what a service gets. All these are what decoding allocates at most,
measured at 24 megapixels."""
_HEADERS = {"read_header", "check_header"}


def run(said: Said, data: bytes, memory: int) -> tuple[Said, bytes]:
    """The answer to a request. Raises ImageRejected, and MemoryError where a picture needs more
    than `memory`, in MiB. If the header shows that, a `light` request is answered so at once."""
    # Pillow allocates the pixels of a WebP before it says what its size is.
    needed = (
        BASE
        if said["task"] in _HEADERS and not _is_webp(data)
        else memory_needed(data, said["task"])
    )
    if said["light"] and needed > memory:
        return {"heavy": True}, b""
    try:
        return _done(said, data)
    except CorruptImage as error:
        # Many libraries report a lack of memory as damage, or as nothing in particular.
        if needed > memory:
            raise MemoryError from error
        raise


def memory_needed(data: bytes, task: str = "inspect") -> int:
    """MiB that a task takes at most, by the header."""
    is_large = task == "rendition"
    if _is_webp(data):
        pixels, needed = _webp_pixels(data), WEBP
    else:
        with opened(data) as image:
            pixels, needed = image.width * image.height, _bytes_a_pixel(image, is_large=is_large)
    made = min(pixels, REENCODED_SIDE**2) if is_large else 0
    return BASE + int((len(data) + pixels * needed + made * RENDITION) / 2**20)


def _bytes_a_pixel(image: Image.Image, *, is_large: bool) -> float:
    if isinstance(image, LazyImage):
        return image.memory
    if isinstance(image, JpegImageFile):
        if is_large and MENDED in image.info:
            return WITHOUT_END
        if image.info.get("progressive"):
            return PROGRESSIVE
        return WHOLE if is_large else SCALED
    if image.format == "HEIF" and image.mode == "RGBA":
        return TRANSPARENT_HEIF
    return BYTES_A_PIXEL.get(image.format or "", OTHERS)


def _is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _webp_pixels(data: bytes) -> int:
    """Width times height by the first chunk: of the canvas, or of a single picture."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        across, down = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7))
    elif kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        across, down = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        across, down = (int.from_bytes(body[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return across * down


def _done(said: Said, data: bytes) -> tuple[Said, bytes]:
    if said["task"] == "read_header":
        return asdict(read_header(data)), b""
    if said["task"] == "check_header":
        return asdict(check_header(data, said["min_side"])), b""
    if said["task"] == "thumbnail":
        return {}, thumbnail(data, said["width"])
    if said["task"] == "rendition":
        limits = InputLimits(**{**said["limits"], "formats": frozenset(said["limits"]["formats"])})
        made = rendition(data, limits)
        return _described(made), made.data
    facts, model, likeness = examine(data)
    sketch = {"hash": likeness.hash, "bytes": len(likeness.pixels)}
    answer = {"facts": asdict(facts), "model": _described(model), "sketch": sketch}
    return answer, likeness.pixels + model.data


def _described(made: Rendition) -> Said:
    """An upright JPEG without its bytes."""
    return {"width": made.width, "height": made.height, "stored": made.stored}
