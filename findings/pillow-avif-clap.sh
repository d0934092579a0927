#!/usr/bin/env bash
# Pillow 13.0.0 (libavif 1.4.2): an AVIF with a clean aperture (clap) is opened uncropped, and nothing in
# the image says that it is one.
#
# The property is essential: a reader must apply it or not read the item (ISO/IEC 23008-12). libavif
# leaves it to the program, and Pillow passes on irot and imir as an EXIF orientation, clap not at all.
# What was cropped away before publishing is visible again. libheif (pillow-heif) crops a HEIC, and
# Chromium crops an AVIF where the crop begins in the left upper corner.
#
# Needs python3; installs Pillow into a temporary folder. Exits 1 if the behaviour is another one by
# now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0 2>/dev/null

"$folder/venv/bin/python" - <<'PYTHON'
import io
import struct
import sys

import PIL
from PIL import Image, features

SIZE, CROP = (64, 48), (32, 24)


def box(kind, *content):
    body = b"".join(content)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def boxes(data):
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + size]
        at += size


def with_clap(data):
    """The same file with a clap of its item, from the left upper corner."""
    centre = [value for whole, part in zip(SIZE, CROP) for value in (part - whole, 2)]
    clap = box(b"clap", struct.pack(">4I4i", CROP[0], 1, CROP[1], 1, *centre))
    more = len(clap) + 1  # and its number in ipma

    def changed(content):
        for kind, part in boxes(content):
            if kind == b"iprp":
                inside = dict(boxes(part))
                known, ipma = [*boxes(inside[b"ipco"])], inside[b"ipma"]
                assert struct.unpack_from(">IIHB", ipma)[:2] == (0, 1)  # one item, short numbers
                essential = 0x80 | len(known) + 1
                ipma = ipma[:10] + bytes([ipma[10] + 1]) + ipma[11:] + bytes([essential])
                part = box(b"ipco", inside[b"ipco"], clap) + box(b"ipma", ipma)
            elif kind == b"iloc":
                assert part[:8] == struct.pack(">IBBH", 0, 0x44, 0, 1)  # one item, 4-byte offsets
                [offset] = struct.unpack_from(">I", part, 14)
                part = part[:14] + struct.pack(">I", offset + more) + part[18:]
            yield box(kind, part)

    return b"".join(
        box(kind, content[:4], *changed(content[4:])) if kind == b"meta" else box(kind, content)
        for kind, content in boxes(data)
    )


plain = io.BytesIO()
Image.new("RGB", SIZE, "red").save(plain, "AVIF")
file = with_clap(plain.getvalue())
with Image.open(io.BytesIO(file)) as image:
    image.load()
    size, info = image.size, sorted(image.info)
print(f"Pillow {PIL.__version__}, libavif {features.version_module('avif')}")
print(f"the file says {CROP}, Pillow shows {size}; info: {info}")
expected = {
    "the crop is not applied": size == SIZE,
    "nothing says that there is one": not {"clap", "crop", "exif"} & set(info),
}
for what, is_so in expected.items():
    print(f"{'as found' if is_so else 'CHANGED'}: {what}")
sys.exit(not all(expected.values()))
PYTHON
