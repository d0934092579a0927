#!/usr/bin/env bash
# Pillow 13.0.0: a compressed TIFF of floating-point numbers in big-endian order opens without an error,
# and every number in it is another one. Uncompressed, or little-endian, it is right.
#
# libtiff gives numbers in the order of the machine. Pillow corrects its names of layouts for 16-bit
# whole numbers after that, and turns the bytes of 32-bit numbers round once more.
#
# Needs python3 on a little-endian machine; installs Pillow into a temporary folder. Exits 1 if the
# behaviour is another one by now.
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


shown = {}
for order in "<>":
    numbers = struct.pack(order + "256f", *(number / 255 for number in range(256)))
    for compression, strip in ((1, numbers), (8, zlib.compress(numbers))):
        tags = {258: [32], 259: [compression], 262: [1], 277: [1], 339: [3]}
        image = Image.open(io.BytesIO(tiff(order, tags, [strip])))
        shown[order, compression] = image.getpixel((15, 15))
print(f"Pillow {Image.__version__}: the last pixel is 1.0 in each file")
for (order, compression), value in shown.items():
    ends = {"<": "little", ">": "big"}[order]
    print(f"{ends}-endian, compression {compression}: {value}")
expected = {
    "three of the files are right": [*shown.values()].count(1.0) == 3,
    "the compressed big-endian one is not": shown[">", 8] < 1e-30,
}
for what, is_so in expected.items():
    print(f"{'as found' if is_so else 'CHANGED'}: {what}")
sys.exit(not all(expected.values()))
PYTHON
