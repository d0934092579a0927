"""The pixels of a picture as Chromium paints them on an sRGB canvas."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser

_PAINT = """async ([type, data]) => {
  const image = new Image();
  image.src = `data:${type};base64,${data}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext('2d', {willReadFrequently: true, colorSpace: 'srgb'});
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = '';
  for (let at = 0; at < pixels.length; at += 8192)
    text += String.fromCharCode(...pixels.subarray(at, at + 8192));
  return [canvas.width, canvas.height, btoa(text)];
}"""


def painted(browser: Browser, data: bytes, media_type: str) -> NDArray[np.uint8]:
    """Height x width x RGB. Raises playwright's Error for what Chromium does not show."""
    page = browser.new_page()
    try:
        width, height, text = page.evaluate(
            _PAINT, [media_type, base64.b64encode(data).decode("ascii")]
        )
    finally:
        page.close()
    pixels = np.frombuffer(base64.b64decode(text), np.uint8)
    return pixels.reshape(height, width, 4)[:, :, :3]
