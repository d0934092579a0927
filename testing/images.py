"""What the app sees of a picture, before it is made a JPEG."""

from __future__ import annotations

from PIL import Image

from captioning.images.picture import look


def preview(data: bytes) -> Image.Image:
    """The pixels that the caption model gets a JPEG of."""
    return look(data)[1]
