#!/usr/bin/env bash
# Pillow 13.0.0: the size of a TIFF changes when its pixels are loaded, if only XMP says how to turn it.
#
# `Image.open` takes the size by the TIFF's own Orientation tag. Loading turns the pixels by
# `getexif()`, which takes tiff:Orientation from the XMP packet where there is no such tag. A thumbnail
# or a box that is reckoned from the size after opening does not fit the pixels. With the tag, both
# agree. In a JPEG, `ImageOps.exif_transpose` turns by XMP alone too; browsers do not.
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
import sys

import PIL
from PIL import Image, ImageOps, TiffImagePlugin

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
PICTURE = Image.new("RGB", (64, 48))


def tiff(tag):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[700], tags.tagtype[700] = XMP, 7
    if tag:
        tags[274] = tag
    buffer = io.BytesIO()
    PICTURE.save(buffer, "TIFF", tiffinfo=tags)
    return buffer


def sizes(file):
    with Image.open(file) as image:
        before = image.size
        image.load()
        return before, image.size


jpeg = io.BytesIO()
PICTURE.save(jpeg, "JPEG", xmp=XMP)
seen = {
    "TIFF, XMP alone: opened, loaded": (sizes(tiff(None)), ((64, 48), (48, 64))),
    "TIFF, tag 6 and XMP: opened, loaded": (sizes(tiff(6)), ((48, 64), (48, 64))),
    "TIFF, tag 1 and XMP: opened, loaded": (sizes(tiff(1)), ((64, 48), (64, 48))),
    "JPEG, XMP alone: exif_transpose": (ImageOps.exif_transpose(Image.open(jpeg)).size, (48, 64)),
}
print(f"Pillow {PIL.__version__}")
for what, (found, expected) in seen.items():
    print(f"{'as found' if found == expected else 'CHANGED'}: {what}: {found}")
sys.exit(any(found != expected for found, expected in seen.values()))
PYTHON
