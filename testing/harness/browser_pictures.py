"""What a browser makes of the bytes of a picture."""

from __future__ import annotations

import base64
import io

from PIL import Image
from playwright.sync_api import Page

_DRAW = """async ([type, data]) => {
  const bytes = Uint8Array.from(atob(data), character => character.charCodeAt(0));
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([bytes], { type }));
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  URL.revokeObjectURL(image.src);
  return canvas.toDataURL("image/png").split(",")[1];
}"""


def as_shown(page: Page, data: bytes, media_type: str) -> Image.Image:
    """The file as the page shows it in its natural size: RGB, on white. Fails if it shows none."""
    drawn = page.evaluate(_DRAW, [media_type, base64.b64encode(data).decode()])
    return Image.open(io.BytesIO(base64.b64decode(drawn))).convert("RGB")
