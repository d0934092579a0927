#!/usr/bin/env bash
# Pillow 13.0.0: an uncompressed TIFF of 16 bits a sample with separate planes opens without an error,
# and its pixels are noise. The same planes, compressed, are read rightly.
#
# The raw decoder is asked for one letter of the mode ("R" of "RGB;16L") a plane, which means samples
# of 8 bits: each 16-bit sample becomes two pixels, low byte and high byte, and half a row is lost.
# Scanners, microscopes and scientific software write such files.
#
# Needs python3; installs Pillow into a temporary folder. Exits 1 if the behaviour is another one by
# now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: pillow==13.0.0 2>/dev/null

"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys
import zlib

from PIL import Image

def tiff(order, tags, strips):
    """A TIFF of 16 x 16 pixels: numbers by tag, and the strips."""
    body, places = b"", []
    for strip in strips:
        places.append(8 + len(body))
        body += strip
    tags = {256: [16], 257: [16], 278: [16], 273: places, 279: list(map(len, strips)), **tags}
    beside, entries = b"", b""
    start = 8 + len(body) + 2 + 12 * len(tags) + 4
    for tag in sorted(tags):
        numbers = struct.pack(f"{order}{len(tags[tag])}I", *tags[tag])
        entries += struct.pack(order + "HHI", tag, 4, len(tags[tag]))
        if len(numbers) > 4:
            entries += struct.pack(order + "I", start + len(beside))
            beside += numbers
        else:
            entries += numbers
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(body))
    return head + body + struct.pack(order + "H", len(tags)) + entries + bytes(4) + beside


ramp = struct.pack("<256H", *(column * 4_096 + 128 for row in range(16) for column in range(16)))
tags = {258: [16] * 3, 262: [2], 277: [3], 284: [2], 339: [1] * 3}
raw = Image.open(io.BytesIO(tiff("<", {**tags, 259: [1]}, [ramp] * 3)))
packed = Image.open(io.BytesIO(tiff("<", {**tags, 259: [8]}, [zlib.compress(ramp)] * 3)))
shown, stored = ([image.getpixel((x, 5))[0] for x in range(16)] for image in (raw, packed))
print(f"Pillow {Image.__version__}, red of a row that grows by 16 levels a pixel")
print(f"compressed:   {stored}")
print(f"uncompressed: {shown}")
expected = {
    "the compressed file is right": stored == list(range(0, 256, 16)),
    "the uncompressed one opens, and has the bytes of samples as pixels": shown
    == [byte for column in range(8, 16) for byte in (128, column * 16)],
}
for what, is_so in expected.items():
    print(f"{'as found' if is_so else 'CHANGED'}: {what}")
sys.exit(not all(expected.values()))
PYTHON
