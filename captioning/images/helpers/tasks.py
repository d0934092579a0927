"""What a helper can do with the bytes of a picture. Only helpers import this module."""

from __future__ import annotations

from dataclasses import asdict

from PIL import Image

from captioning.errors import CorruptImage
from captioning.images.decoding import opened
from captioning.images.helpers.channel import Said
from captioning.images.picture import check_header, examine, read_header, rendition, thumbnail
from captioning.images.rendition import InputLimits, Rendition

BASE = 32
"""MiB that a helper has allocated without a picture, rounded up."""
BYTES_A_PIXEL = {"JPEG": 0.5, "MPO": 0.5, "HEIF": 8.0}
OTHERS, PROGRESSIVE, WEBP = 10.0, 8.0, 17.0
"""What decoding allocates at most, measured at 99 megapixels. Only a JPEG that is not
progressive is scaled down while it is read."""
_HEADERS = {"read_header", "check_header"}


def run(said: Said, data: bytes, memory: int) -> tuple[Said, bytes]:
    """The answer to a request. Raises ImageRejected, and MemoryError where a picture needs more
    than `memory`, in MiB. If the header shows that, a `light` request is answered so at once."""
    # Pillow allocates the pixels of a WebP before it says what its size is.
    needed = BASE if said["task"] in _HEADERS and not _is_webp(data) else memory_needed(data)
    if said["light"] and needed > memory:
        return {"heavy": True}, b""
    try:
        return _done(said, data)
    except CorruptImage as error:
        # Many libraries report a lack of memory as damage, or as nothing in particular.
        if needed > memory:
            raise MemoryError from error
        raise


def memory_needed(data: bytes) -> int:
    """MiB that decoding takes at most, by the header."""
    if _is_webp(data):
        needed = _webp_pixels(data) * WEBP
    else:
        with opened(data) as image:
            needed = image.width * image.height * _bytes_a_pixel(image)
    return BASE + int((len(data) + needed) / 2**20)


def _bytes_a_pixel(image: Image.Image) -> float:
    if image.format in {"JPEG", "MPO"} and image.info.get("progressive"):
        return PROGRESSIVE
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
