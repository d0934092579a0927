"""Pictures for tests, made when they are needed: ordinary, strange and broken ones."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pillow_heif
from PIL import Image, ImageDraw

pillow_heif.register_heif_opener()

RED, LIME, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""By EXIF orientation: what turns an upright picture into the pixels that a camera stores."""


def quadrants(width: int = 400, height: int = 300) -> Image.Image:
    """Red and lime above blue and white, which shows the way up."""
    image = Image.new("RGB", (width, height), WHITE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=RED)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), fill=LIME)
    draw.rectangle((0, height // 2, width // 2 - 1, height), fill=BLUE)
    return image


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    """The file as a picture, all of it decoded."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def is_upright(image: Image.Image) -> bool:
    """Whether these are the quadrants, the right way up."""
    w, h = image.size
    corners = [
        (w // 8, h // 8),
        (w - w // 8, h // 8),
        (w // 8, h - h // 8),
        (w - w // 8, h - h // 8),
    ]
    colors = (RED, LIME, BLUE, WHITE)
    return all(
        is_close(image.getpixel(at), color) for at, color in zip(corners, colors, strict=True)
    )


def is_close(color: object, expected: tuple[int, int, int]) -> bool:
    """Whether a colour is the expected one but for what a lossy format changes."""
    assert isinstance(color, tuple)
    return all(abs(a - b) < 40 for a, b in zip(color, expected, strict=True))


def oriented(orientation: int, file_format: str = "JPEG", width: int = 400) -> bytes:
    """The quadrants as stored by a camera that was held in this orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = quadrants(width, width * 3 // 4)
    stored = upright.transpose(UNDO[orientation]) if orientation in UNDO else upright
    return encoded(stored, file_format, exif=exif)


def with_gps() -> bytes:
    """A JPEG with place, camera and comment in its metadata."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return encoded(quadrants(), "JPEG", exif=exif, comment=b"SecretComment")


def sixteen_bit() -> bytes:
    """A PNG with 16 bits a sample, dark at the left, bright at the right."""
    row = struct.pack("<400H", *(x * 65_535 // 399 for x in range(400)))
    return encoded(Image.frombytes("I;16", (400, 300), row * 300), "PNG")


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header has this size, without any pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def animated_gif() -> bytes:
    """Three frames, the first one red above."""
    turned = [quadrants().rotate(angle) for angle in (90, 180)]
    return encoded(quadrants(), "GIF", save_all=True, append_images=turned, duration=50)


def palette_with_alpha() -> bytes:
    """A palette PNG whose red is transparent."""
    image = quadrants().quantize(4)
    red = image.getpixel((0, 0))
    return encoded(image, "PNG", transparency=red)


STRANGE: dict[str, tuple[bytes, str]] = {
    "zero.jpg": (b"", "corrupt"),
    "text.jpg": (b"Dear diary, this is not a picture.\n", "unsupported_format"),
    "half.jpg": (encoded(quadrants(1200, 900), "JPEG")[:8_000], "corrupt"),
    "huge.png": (png_header(30_000, 30_000), "too_large"),
    "tiny.png": (encoded(quadrants(49, 49), "PNG"), "too_small"),
    "animated.gif": (animated_gif(), ""),
    "cmyk.jpg": (encoded(quadrants().convert("CMYK"), "JPEG"), ""),
    "sixteen-bit.png": (sixteen_bit(), ""),
    "palette-alpha.png": (palette_with_alpha(), ""),
    "picture.webp": (encoded(quadrants(), "WEBP"), ""),
    "picture.tiff": (encoded(quadrants(), "TIFF"), ""),
    "picture.bmp": (encoded(quadrants(), "BMP"), ""),
    "picture.heic": (encoded(quadrants(), "HEIF"), ""),
    "drawing.svg": (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "unsupported_format",
    ),
    "paper.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "unsupported_format"),
    **{f"orientation-{number}.jpg": (oriented(number), "") for number in range(1, 9)},
}
"""By name: the bytes, and the code they are rejected with; "" means that they are captioned."""
