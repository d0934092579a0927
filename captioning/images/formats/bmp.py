"""BMP: any bit masks, where Pillow has a list of them."""

from __future__ import annotations

import struct

from PIL import Image

from captioning.images.formats.lazy import LazyImage

_BITFIELDS = 3
_ALPHA_BITFIELDS = 6


def with_masks(data: bytes) -> LazyImage | None:
    """The opened image, if the file is a BMP of 16 or 32 bits with masks; else None."""
    if len(data) < 66:
        return None
    start, length, width, height, _, bits, method = struct.unpack_from("<IIiiHHI", data, 10)
    if bits not in {16, 32} or method not in {_BITFIELDS, _ALPHA_BITFIELDS} or length < 40:
        return None
    has_alpha = length >= 56 or method == _ALPHA_BITFIELDS
    masks = struct.unpack_from("<4I" if has_alpha else "<3I", data, 54)
    if width <= 0 or not height or not all(masks[:3]):
        return None
    if has_alpha and not masks[3]:
        masks = masks[:3]

    def pixels() -> Image.Image:
        stride = (width * bits // 8 + 3) // 4 * 4
        rows = data[start : start + stride * abs(height)]
        if len(rows) < stride * abs(height):
            raise OSError("rows are missing")
        bands = [_band(rows, mask, bits // 8, stride, height) for mask in masks]
        image = Image.merge("RGBA" if len(bands) == 4 else "RGB", bands)
        return image.crop((0, 0, width, abs(height)))

    return LazyImage("BMP", "RGB", (width, abs(height)), pixels)


def _band(rows: bytes, mask: int, size: int, stride: int, height: int) -> Image.Image:
    """The samples under a mask as a band. All pixels are shifted and masked as one number."""
    lowest = (mask & -mask).bit_length() - 1
    most = mask >> lowest
    shift = lowest + max(0, most.bit_length() - 8)  # the upper 8 bits
    top = mask >> shift & 0xFF
    pattern = (bytes([top]) + bytes(size - 1)) * (len(rows) // size)
    value = (int.from_bytes(rows, "little") >> shift) & int.from_bytes(pattern, "little")
    samples = value.to_bytes(len(rows), "little")[::size]
    scaled = samples.translate(bytes(min(255, level * 255 // top) for level in range(256)))
    direction = -1 if height > 0 else 1
    return Image.frombytes("L", (stride // size, abs(height)), scaled, "raw", "L", 0, direction)


def unread(data: bytes) -> str:
    """What kind of BMP it is, in words, if it wraps another format; else ""."""
    method = int.from_bytes(data[30:34], "little")
    return {4: "a BMP that holds a JPEG", 5: "a BMP that holds a PNG"}.get(method, "")
