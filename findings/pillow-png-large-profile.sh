#!/usr/bin/env bash
# Pillow 13.0.0: a PNG with a colour profile of more than 1 MiB cannot be opened, although profiles are
# no texts: the limit for it is called MAX_TEXT_CHUNK, and the error says that of a text chunk.
#
# Image.open raises the ValueError itself, where a file that is no picture gives
# UnidentifiedImageError. The same profile in a JPEG or a TIFF is read. Profiles of printers have 1 to 3 MB.
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
import random
import sys

from PIL import Image

profile = random.Random(1).randbytes(1_800_000)
found = {}
for name in ("PNG", "JPEG", "TIFF"):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, name, icc_profile=profile)
    try:
        with Image.open(buffer) as image:
            found[name] = len(image.info["icc_profile"])
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
print(f"Pillow {Image.__version__}, a picture with a profile of {len(profile)} bytes")
for name, result in found.items():
    print(f"{name}: {result}")
expected = {
    "JPEG and TIFF keep it": found["JPEG"] == found["TIFF"] == len(profile),
    "Pillow does not open the PNG that it wrote": "MAX_TEXT_CHUNK" in str(found["PNG"]),
}
for what, is_so in expected.items():
    print(f"{'as found' if is_so else 'CHANGED'}: {what}")
sys.exit(not all(expected.values()))
PYTHON
