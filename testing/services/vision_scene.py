"""What the local Azure AI Vision sees: the frame of a picture, and a scene that is always the
same."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

Place = tuple[float, float, float, float]
"""x, y, width, height as fractions of the upright picture."""


@dataclass(frozen=True)
class Scene:
    """What is in a picture, each with its confidence."""

    tags: tuple[tuple[str, float], ...] = (("indoor", 0.81), ("cat", 0.97), ("plant", 0.41))
    objects: tuple[tuple[str, float, Place], ...] = (
        ("cat", 0.9, (0.1, 0.2, 0.3, 0.4)),
        ("chair", 0.5, (0.5, 0.0, 0.5, 0.5)),
    )
    text: tuple[tuple[str, Place], ...] = (("SALE", (0.5, 0.1, 0.25, 0.05)),)
    brands: tuple[tuple[str, float, Place], ...] = (("Pepsi", 0.857, (0.6, 0.6, 0.2, 0.1)),)
    people: tuple[tuple[float, Place], ...] = ((0.93, (0.2, 0.1, 0.1, 0.8)),)
    caption: tuple[str, float] = ("a cat on a chair", 0.4829)
    dense: tuple[tuple[str, float], ...] = (("a cat on a chair", 0.8), ("a blurred wall", 0.3))
    racy: bool = False


@dataclass(frozen=True)
class Frame:
    """A picture as the service reports it: format, size, and orientation."""

    format: str
    size: tuple[int, int]
    orientation: int = 1

    def box(self, place: Place) -> tuple[int, int, int, int]:
        """The box of a place, in the reported pixels."""
        x, y, w, h = place
        ends = (self._point(x, y), self._point(x + w, y + h))
        left, right = sorted(round(u * self.size[0]) for u, _ in ends)
        top, bottom = sorted(round(v * self.size[1]) for _, v in ends)
        return (left, top, right - left, bottom - top)

    def _point(self, u: float, v: float) -> tuple[float, float]:
        """The place in the encoded picture of the point (u, v) of the upright one."""
        return {
            1: (u, v),
            2: (1 - u, v),
            3: (1 - u, 1 - v),
            4: (u, 1 - v),
            5: (v, u),
            6: (v, 1 - u),
            7: (1 - v, 1 - u),
            8: (1 - v, u),
        }[self.orientation]


def seen(body: bytes, formats: tuple[str, ...], *, applies_exif: bool) -> Frame | None:
    """The frame of an image in one of these formats, from its header; None for anything else."""
    picture = _header(body, formats)
    if picture is None:
        return None
    orientation = _orientation(picture)
    if not applies_exif:
        return Frame(str(picture.format), picture.size, orientation)
    turned = orientation > 4
    size = picture.size[::-1] if turned else picture.size
    return Frame(str(picture.format), (size[0], size[1]))


def _orientation(picture: Image.Image) -> int:
    if picture.format == "PNG" and "exif" not in picture.info:
        return 1  # getexif() would decode the picture to look behind it
    orientation: object = picture.getexif().get(0x0112)
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _header(body: bytes, formats: tuple[str, ...]) -> Image.Image | None:
    """Format and size from Pillow's plugins; Image.open would also check the pixel count."""
    Image.init()
    plugins = [Image.OPEN[name] for name in formats if name in Image.OPEN]  # MPO comes as JPEG
    for plugin, accepts in plugins:
        if accepts and accepts(body[:16]) is not True:
            continue
        try:
            picture = plugin(io.BytesIO(body), b"")
        except (SyntaxError, OSError, ValueError, EOFError, IndexError, TypeError):
            continue
        if picture.format in formats:
            return picture
    return None
