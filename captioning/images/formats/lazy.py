"""An image whose header is known and whose pixels are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import ExifTags, Image

MENDED = "mended"
"""In `info`: other programs may not read the file, or get another picture."""


class LazyImage(Image.Image):
    """Stands for an opened file that Pillow has no reader for. `make` gives the pixels."""

    def __init__(
        self,
        file_format: str,
        size: tuple[int, int],
        make: Callable[[], Image.Image],
        info: dict[str | tuple[int, int], Any] | None = None,
    ) -> None:
        super().__init__()
        self.format, self._size, self._mode = file_format, size, "RGB"
        self.info = {**(info or {}), MENDED: True}
        self._make: Callable[[], Image.Image] | None = make

    def load(self) -> Any:
        if self._make is not None:
            made, self._make = self._make(), None
            self._im, self._mode, self._size = made.im, made.mode, made.size
        return super().load()


def exif_of(orientation: int) -> bytes:
    """EXIF that holds nothing but this orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif.tobytes()
