"""An image whose header is known and whose pixels are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image

MENDED = "mended"
"""In `info`: other programs may not read the file, or get another picture."""
ORIENTATION = "told_orientation"
"""In `info`: the orientation that counts, 1 to 8, whatever else the file says."""
FULL_SIZE = "full_size"
"""In `info`: width and height of the raw picture as stored, where `size` is the preview's."""


class LazyImage(Image.Image):
    """Stands for an opened file that Pillow has no reader for. `make` gives the pixels, whose mode
    may differ by an alpha channel. `memory`: bytes a pixel that this takes."""

    def __init__(
        self,
        file_format: str,
        mode: str,
        size: tuple[int, int],
        make: Callable[[], Image.Image],
        info: dict[str | tuple[int, int], Any] | None = None,
        memory: int = 16,
    ) -> None:
        super().__init__()
        self.memory = memory
        self.format, self._size, self._mode = file_format, size, mode
        self.info = {**(info or {}), MENDED: True}
        self._make: Callable[[], Image.Image] | None = make

    def load(self) -> Any:
        if self._make is not None:
            made, self._make = self._make(), None
            self._im, self._mode, self._size = made.im, made.mode, made.size
        return super().load()
